//! The sandbox's certificate authority, created at each start, and the server's certificate.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::random;

/// The server's certificate. All but `SelfSigned` are signed by the sandbox's CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Certificate {
    /// For `localhost`, `127.0.0.1` and `::1`, valid now.
    #[default]
    Valid,
    /// For `wrong-host.test` only.
    WrongHost,
    /// Like `Valid`, but expired a year ago.
    Expired,
    /// Like `Valid`, but valid from next year.
    NotYetValid,
    /// For the name `localhost` only, without addresses.
    NameOnly,
    /// Like `Valid`, but with the extended key usage of a client.
    ForClients,
    /// Like `Valid`, but self-signed.
    SelfSigned,
    /// Like `Valid`, and for `CLOUD_ID.api.openvpn.com`, for clients that connect through a proxy.
    Tenant,
}

/// The server's TLS configuration and the CA certificate for clients.
pub(crate) struct TlsIdentity {
    pub(crate) ca_pem: String,
    pub(crate) config: Arc<ServerConfig>,
}

impl TlsIdentity {
    pub(crate) fn create(certificate: Certificate, cloud_id: &str) -> Self {
        let now = OffsetDateTime::now_utc();
        let ca = authority(now);
        let key = KeyPair::generate().expect("ring generates P-256 keys");
        let leaf = leaf(certificate, cloud_id, now);
        let leaf = match certificate {
            Certificate::SelfSigned => leaf.self_signed(&key),
            _ => leaf.signed_by(&key, &ca),
        };
        let leaf = leaf.expect("the parameters are fixed and valid");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("rcgen writes PKCS #8");

        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .expect("the key is the certificate's");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            ca_pem: ca.pem(),
            config: Arc::new(config),
        }
    }
}

fn authority(now: OffsetDateTime) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    // A new name at each start, because some clients look authorities up by name.
    let name = format!("cloudconnexa-sandbox CA {}", random::text::<4>());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - Duration::weeks(3 * 52);
    params.not_after = now + Duration::weeks(52);
    let key = KeyPair::generate().expect("ring generates P-256 keys");
    CertifiedIssuer::self_signed(params, key).expect("the parameters are fixed and valid")
}

fn leaf(certificate: Certificate, cloud_id: &str, now: OffsetDateTime) -> CertificateParams {
    let hosts: &[&str] = match certificate {
        Certificate::WrongHost => &["wrong-host.test"],
        Certificate::NameOnly => &["localhost"],
        _ => &["localhost", "127.0.0.1", "::1"],
    };
    let mut hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    if certificate == Certificate::Tenant {
        hosts.push(format!("{cloud_id}.api.openvpn.com"));
    }
    let mut params = CertificateParams::new(hosts).expect("the names are fixed and valid");
    params
        .distinguished_name
        .push(DnType::CommonName, "cloudconnexa-sandbox");
    params.extended_key_usages = vec![match certificate {
        Certificate::ForClients => ExtendedKeyUsagePurpose::ClientAuth,
        _ => ExtendedKeyUsagePurpose::ServerAuth,
    }];
    params.use_authority_key_identifier_extension = certificate != Certificate::SelfSigned;
    let end = match certificate {
        Certificate::Expired => now - Duration::weeks(52),
        Certificate::NotYetValid => now + Duration::weeks(2 * 52),
        _ => now + Duration::weeks(26),
    };
    (params.not_before, params.not_after) = (end - Duration::weeks(30), end);
    params
}
