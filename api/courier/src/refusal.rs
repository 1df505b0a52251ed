//! Why an address is not posted to.

use std::fmt;

use bodega_kernel::{Language, Text, text};

/// Why an address is refused, when it is saved or when it is connected to.
///
/// None of them is told of the addresses that a host's name resolves to: that would tell a stranger
/// what a private name server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// More than 2,048 bytes.
    TooLong,
    /// Not a URL.
    Invalid,
    /// Neither `http` nor `https`.
    Scheme,
    /// `http`, where the operator wants `https`.
    HttpsOnly,
    /// There is a user name or a password in it.
    UserInfo,
    /// There is a `#fragment`, which is never sent.
    Fragment,
    /// There is no host.
    NoHost,
    /// Port 0.
    Port,
    /// A name that means something on a private network only: `localhost`, `nas.local`, `intranet`.
    PrivateName,
    /// The host is an address that is not on the public internet.
    PrivateAddress,
    /// The host is a public address of the machine that Bodega runs on.
    OwnAddress,
}

impl Refusal {
    /// A name for it that never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "url_too_long",
            Self::Invalid => "url_invalid",
            Self::Scheme => "url_scheme",
            Self::HttpsOnly => "url_https_only",
            Self::UserInfo => "url_user_info",
            Self::Fragment => "url_fragment",
            Self::NoHost => "url_no_host",
            Self::Port => "url_port",
            Self::PrivateName => "private_name",
            Self::PrivateAddress => "private_address",
            Self::OwnAddress => "own_address",
        }
    }

    /// What is wrong, in a sentence.
    pub fn text(self) -> Text {
        match self {
            Self::TooLong => text(
                "A URL has at most 2,048 characters.",
                "Una URL tiene como máximo 2.048 caracteres.",
            ),
            Self::Invalid => text("This is not a valid URL.", "No es una URL válida."),
            Self::Scheme => text(
                "A URL starts with `https://` or `http://`.",
                "Una URL empieza por `https://` o `http://`.",
            ),
            Self::HttpsOnly => text(
                "Only `https://` addresses are posted to here.",
                "Aquí solo se envía a direcciones `https://`.",
            ),
            Self::UserInfo => text(
                "A URL must not hold a user name or a password: use a header of your own.",
                "Una URL no debe llevar usuario ni contraseña: usa una cabecera propia.",
            ),
            Self::Fragment => text(
                "A URL must not have a `#fragment`: it would never be sent.",
                "Una URL no debe llevar un `#fragmento`: nunca se enviaría.",
            ),
            Self::NoHost => text("The URL names no host.", "La URL no indica ningún servidor."),
            Self::Port => text("Port 0 cannot be posted to.", "No se puede enviar al puerto 0."),
            Self::PrivateName => text(
                "The host is a name that only a private network knows.",
                "El servidor es un nombre que solo conoce una red privada.",
            ),
            Self::PrivateAddress => text(
                "The host's address is not on the public internet.",
                "La dirección del servidor no está en la internet pública.",
            ),
            Self::OwnAddress => text(
                "The host is the machine that posts; its operator can allow that.",
                "El servidor es la propia máquina que envía; quien la opera puede permitirlo.",
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().get(Language::English))
    }
}

impl std::error::Error for Refusal {}
