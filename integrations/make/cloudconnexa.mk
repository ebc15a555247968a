# $(call cloudconnexa-curl,PATH …): the API through curl, for recipes. More curl arguments may
# follow PATH. The recipe fails where there is no token or no good answer.
CLOUDCONNEXA_API ?= https://acme.api.openvpn.com
CLOUDCONNEXA_AUTH ?= cloudconnexa-auth

cloudconnexa-curl = header=$$($(CLOUDCONNEXA_AUTH) header --curl --for $(CLOUDCONNEXA_API)$(firstword $(1))) && \
	printf '%s\n' "$$header" | curl --silent --show-error --fail --config - $(CLOUDCONNEXA_API)$(1)
