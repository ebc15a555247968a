module "network" {
  source  = "registry.acme.internal/acme/network/cloudconnexa"
  version = "1.0.0"
}
