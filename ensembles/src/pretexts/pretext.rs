//! The tasks that data pose themselves.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A task that data pose themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pretext {
    /// To give back a sample from a short code of it (Hinton and Salakhutdinov, Science 313, 2006).
    Autoencoder,
    /// To find, among others, the sample of which two views were made (Chen et al., *SimCLR*, ICML 2020).
    Contrastive,
    /// To say what features that are hidden are (Devlin et al., *BERT*, NAACL 2019; of vectors Yoon et al., *VIME*, NeurIPS 2020).
    Masked,
    /// To say how a series goes on.
    Forecast,
}

impl Pretext {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Autoencoder, Self::Contrastive, Self::Masked, Self::Forecast];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Autoencoder => "autoencoder",
            Self::Contrastive => "contrastive",
            Self::Masked => "masked",
            Self::Forecast => "forecast",
        }
    }
}

impl fmt::Display for Pretext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Pretext {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|pretext| pretext.name() == text);
        let names = Self::ALL.map(Self::name).join(", ");
        found.ok_or_else(|| format!("need one of {names}, got '{text}'"))
    }
}
