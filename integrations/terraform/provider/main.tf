terraform {
  required_providers {
    cloudconnexa = {
      source = "OpenVPN/cloudconnexa"
    }
  }
}

# Client ID and client secret come from CLOUDCONNEXA_CLIENT_ID and CLOUDCONNEXA_CLIENT_SECRET.
provider "cloudconnexa" {
  base_url = "https://acme.api.openvpn.com"
}
