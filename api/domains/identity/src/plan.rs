//! Plans: how many calls a key may make, and how many objects its organization may have.

use bodega_contract::Plan;
use bodega_kernel::Numbers;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All keys of an organization together may make so many times the calls that the largest of their
/// plans allows one: enough for a web shop, tills and a program or two, and not ten times as many for
/// ten keys.
pub(crate) const ORGANIZATION_TIMES: u32 = 3;

/// How many calls a key may make. The largest plan among an organization's keys also sets how many
/// keys, webhook endpoints, filters, selections and trusted documents it may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanName {
    /// 60 calls a minute, 10,000 a day; 50 keys, 10 webhook endpoints (5 with a filter, 5 with a
    /// selection), 100 trusted documents.
    Trial,
    /// 600 calls a minute, 100,000 a day; 200 keys, 100 webhook endpoints (50 with a filter, 50 with
    /// a selection), 500 trusted documents.
    #[default]
    Standard,
    /// 6,000 calls a minute, 2,000,000 a day; 2,000 keys, 500 webhook endpoints (200 with a filter,
    /// 200 with a selection), 2,000 trusted documents.
    Plus,
    /// 600,000 calls a minute, 500,000,000 a day; 20,000 keys, 5,000 webhook endpoints (2,000 with a
    /// filter, 2,000 with a selection), 20,000 trusted documents.
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

    /// How many objects an organization may have of which it is the largest plan.
    pub const fn numbers(self) -> Numbers {
        let (api_keys, webhook_endpoints, filters, selections, trusted_documents) = match self {
            Self::Trial => (50, 10, 5, 5, 100),
            Self::Standard => (200, 100, 50, 50, 500),
            Self::Plus => (2_000, 500, 200, 200, 2_000),
            Self::Scale => (20_000, 5_000, 2_000, 2_000, 20_000),
        };
        Numbers { api_keys, webhook_endpoints, filters, selections, trusted_documents }
    }
}
