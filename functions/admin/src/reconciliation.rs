//! Reconciliation: what status-check found not to agree, by network.

use causeway_domain::Network;
use causeway_http::{ApiError, time::iso};
use causeway_state::{
    reconciliation::{Difference, Report},
    wallet::Treasury,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Admin,
    list::{List, readable},
};

/// What the latest looks at a network's treasuries found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// The network's name.
    pub network: String,
    /// Whether every treasury was looked at and nothing was found that somebody must look at.
    pub clean: bool,
    /// Its treasuries.
    pub treasuries: u64,
    /// When the treasury was looked at that nobody has looked at for longest; absent while one never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<String>,
    /// Found once: they are looked at again before they are told.
    pub suspected: u64,
    /// Found by two looks in a row.
    pub differences: Vec<DifferenceShown>,
    /// Differences beyond those that are told in words.
    pub more: u64,
}

/// One thing that does not agree.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DifferenceShown {
    /// `lane`, `transaction`, `parcel`, `entries`, `unbalanced`, `short` or `uncredited`.
    #[schema(example = "uncredited")]
    pub kind: String,
    /// Whether somebody must look.
    pub alarm: bool,
    /// A lane, `{lane}#{number}`, a parcel or an account.
    pub subject: String,
    /// What each side says.
    pub detail: String,
    /// Whose treasury it was found at.
    pub tenant: String,
    /// The treasury's lane.
    pub lane: String,
    /// When it was found last.
    pub at: String,
}

impl Admin {
    /// `GET reconciliation`
    pub async fn reconciliation(&self) -> Result<List<Reconciliation>, ApiError> {
        let mut items = Vec::new();
        for network in self.networks.iter() {
            items.push(self.reconciled(network).await?);
        }
        Ok(List::whole(items))
    }

    async fn reconciled(&self, network: &Network) -> Result<Reconciliation, ApiError> {
        let treasuries = self.all(Treasury::query_network(&network.id)).await?.len() as u64;
        let rows = self.all(Report::query(&network.id)).await?;
        // A treasury whose report cannot be read is one that nobody has looked at.
        let reports: Vec<Report> = rows.iter().filter_map(readable).collect();
        // A look that takes long keeps what it has with its report, before the first one has ended.
        let ended = reports.iter().filter(|report| report.at > 0).count() as u64;
        let all = ended >= treasuries;
        let oldest = reports.iter().map(|report| report.at).min().filter(|_| all);
        Ok(Reconciliation {
            network: network.id.to_string(),
            clean: all && reports.iter().all(|report| report.alarming() == 0),
            treasuries,
            looked_at: oldest.map(iso),
            suspected: reports.iter().map(|report| report.suspected.len() as u64).sum(),
            more: reports.iter().map(|report| report.more).sum(),
            differences: reports.iter().flat_map(|it| it.differences.iter().map(|one| shown(it, one))).collect(),
        })
    }
}

fn shown(report: &Report, difference: &Difference) -> DifferenceShown {
    DifferenceShown {
        kind: difference.kind.as_str().to_owned(),
        alarm: difference.kind.alarms(),
        subject: difference.subject.clone(),
        detail: difference.detail.clone(),
        tenant: report.tenant.to_string(),
        lane: report.lane.to_string(),
        at: iso(report.at),
    }
}
