//! Plans: how many calls a key may make.

use bodega_contract::Plan;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanName {
    /// 60 calls a minute, 10,000 a day.
    Trial,
    /// 600 calls a minute, 100,000 a day.
    #[default]
    Standard,
    /// 6,000 calls a minute, 2,000,000 a day.
    Plus,
    /// 600,000 calls a minute, 500,000,000 a day.
    Scale,
}

/// Every plan, smallest first.
pub const PLANS: [PlanName; 4] =
    [PlanName::Trial, PlanName::Standard, PlanName::Plus, PlanName::Scale];

impl PlanName {
    /// `standard`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Standard => "standard",
            Self::Plus => "plus",
            Self::Scale => "scale",
        }
    }

    /// From what is stored; an unknown plan is the smallest.
    pub fn named(text: &str) -> Self {
        PLANS.into_iter().find(|plan| plan.as_str() == text).unwrap_or(Self::Trial)
    }

    /// What it allows.
    pub const fn allows(self) -> Plan {
        let (per_minute, per_day) = match self {
            Self::Trial => (60, 10_000),
            Self::Standard => (600, 100_000),
            Self::Plus => (6_000, 2_000_000),
            Self::Scale => (600_000, 500_000_000),
        };
        Plan { name: self.as_str(), per_minute, per_day }
    }
}
