//! Plans: how many calls a key may make, and how many objects its organization may have.

use bodega_contract::Plan;
use bodega_kernel::Numbers;

/// All keys of an organization together may make so many times the calls that the largest of their
/// plans allows one: enough for a web shop, tills and a program or two, and not ten times as many for
/// ten keys.
pub(crate) const ORGANIZATION_TIMES: u32 = 3;

pub use entity::identity::api_key::PlanName;

/// Every plan, smallest first.
pub const PLANS: [PlanName; 4] =
    [PlanName::Trial, PlanName::Standard, PlanName::Plus, PlanName::Scale];

/// What a plan allows.
pub trait Allowance: Copy {
    /// `standard`.
    fn as_str(self) -> &'static str;
    /// How many calls it allows.
    fn allows(self) -> Plan;
    /// How many objects an organization may have of which it is the largest plan.
    fn numbers(self) -> Numbers;
}

impl Allowance for PlanName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Standard => "standard",
            Self::Plus => "plus",
            Self::Scale => "scale",
        }
    }

    fn allows(self) -> Plan {
        let (per_minute, per_day) = match self {
            Self::Trial => (60, 10_000),
            Self::Standard => (600, 100_000),
            Self::Plus => (6_000, 2_000_000),
            Self::Scale => (600_000, 500_000_000),
        };
        Plan { name: self.as_str(), per_minute, per_day }
    }

    fn numbers(self) -> Numbers {
        let (api_keys, webhook_endpoints, filters, selections, trusted_documents) = match self {
            Self::Trial => (50, 10, 5, 5, 100),
            Self::Standard => (200, 100, 50, 50, 500),
            Self::Plus => (2_000, 500, 200, 200, 2_000),
            Self::Scale => (20_000, 5_000, 2_000, 2_000, 20_000),
        };
        Numbers { api_keys, webhook_endpoints, filters, selections, trusted_documents }
    }
}
