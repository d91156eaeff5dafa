//! Checks that need the chain: gas by trial, price from fee history, policy once more.

use std::sync::PoisonError;

use causeway_chains::{Call, Chain, Estimate, token};
use causeway_domain::{
    Address, Asset, Network, U256,
    fees::{FeeHistory, Fees, price},
    limits::PLAIN_TRANSFER_GAS,
    verdict::{Verdict, WaitReason},
};
use causeway_state::{lane::Intent, parcel::Parcel};

use crate::Signer;

/// How long a fee history is believed: less than a block of the fastest network that matters for fees.
const FEES_FOR_MS: u64 = 2_000;
/// First look after a provider failed.
const CHAIN_WAIT_MS: u64 = 5_000;
/// Fees move within minutes.
const FEE_WAIT_MS: u64 = 30_000;
/// Another version of the list comes with a deployment.
const POLICY_WAIT_MS: u64 = 30_000;
/// Treasuries are topped up by people.
const SHORT_WAIT_MS: u64 = 30_000;

/// What a parcel's transaction will do and cost.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What it does.
    pub intent: Intent,
    /// Its price.
    pub fees: Fees,
    /// Height of the chain when it was priced; 0 where the provider did not say.
    pub since: u64,
}

/// Recent fees, and the height of the chain when a provider told them.
#[derive(Debug, Clone)]
pub struct Recent {
    /// The fees.
    pub history: FeeHistory,
    /// The height; 0 where the provider did not say.
    pub height: u64,
}

impl Signer {
    /// Checks one parcel against policy and chain.
    pub async fn check(
        &self,
        parcel: &Parcel,
        network: &Network,
        chain: &dyn Chain,
        recent: &Recent,
    ) -> Result<Checked, Verdict> {
        let now = self.clock.now_ms();
        let wait = |reason, after_ms| Verdict::Wait { reason, wake_at: now + after_ms };
        let fatal = |reason: &str| Verdict::Fatal { reason: reason.to_owned() };
        let not_allowed = |what: &str| {
            tracing::warn!(parcel = %parcel.id, what, "it was accepted under another list of networks");
            wait(WaitReason::NotAllowed, POLICY_WAIT_MS)
        };
        let asset = network
            .asset(parcel.asset.address)
            .ok_or_else(|| not_allowed("the token is not on this version's list"))?;
        let [line] = parcel.transfers.as_slice() else {
            return Err(fatal("this deployment sends one transfer in a transaction"));
        };
        if asset.max_per_transfer.is_some_and(|most| line.amount > most) {
            return Err(not_allowed("the amount is above this version's limit per transfer"));
        }
        let fees = price(&recent.history, network, parcel.priority).map_err(|above| {
            tracing::warn!(parcel = %parcel.id, %above, "fees are above the cap");
            wait(WaitReason::FeeAboveCap, FEE_WAIT_MS)
        })?;
        let (to, value, data) = token::payment_for(asset, line.to, line.amount);
        let from = parcel.wallet.address;
        // Without a price: a node's trial with a price also asks for the funds to pay it.
        let gas_max = Some(most_estimated(network));
        let call = Call { from, to, value, data: data.clone(), gas: None, gas_max, gas_price_wei: None };
        let gas = match chain.estimate(&call).await {
            Ok(reply) => match reply.value {
                Estimate::Gas(gas) => gas,
                Estimate::InsufficientFunds => return Err(wait(WaitReason::TreasuryShort, SHORT_WAIT_MS)),
                Estimate::Reverted { reason } => {
                    return Err(self.why_reverted(parcel, (asset, &call), chain, reason).await);
                }
            },
            Err(error) => {
                tracing::warn!(parcel = %parcel.id, error = %error, "gas cannot be estimated");
                return Err(wait(WaitReason::ChainUnavailable, CHAIN_WAIT_MS));
            }
        };
        let gas_limit = with_margin(gas);
        if gas_limit > network.transfer_gas_max {
            let most = network.transfer_gas_max;
            return Err(fatal(&format!(
                "the transfer needs {gas} gas, with its margin more than the {most} that it may have"
            )));
        }
        Ok(Checked { intent: Intent { to, value, data, gas_limit }, fees, since: recent.height })
    }

    /// A treasury that holds too little makes a token revert too; that is ours to wait for, not the client's fault. The trial
    /// may be of an older state than a look at the balance, whoever answers which: only a trial between two looks that found
    /// enough, and of no older state than the first of them, has the last word.
    async fn why_reverted(
        &self,
        parcel: &Parcel,
        (asset, call): (&Asset, &Call),
        chain: &dyn Chain,
        first: String,
    ) -> Verdict {
        let now = self.clock.now_ms();
        let wait = |reason, after_ms| Verdict::Wait { reason, wake_at: now + after_ms };
        let unsure = || {
            tracing::info!(parcel = %parcel.id, reason = first, "a trial reverted, and nothing proves that it always will");
            wait(WaitReason::ChainUnavailable, CHAIN_WAIT_MS)
        };
        let Some((height, before)) = held_at_head(chain, parcel).await else { return unsure() };
        if before < parcel.total().to_u256() {
            return wait(WaitReason::TreasuryShort, SHORT_WAIT_MS);
        }
        let (reason, of) = match chain.estimate(call).await.map(|reply| (reply.value, reply.height)) {
            Ok((Estimate::Reverted { reason }, of)) => (reason, of),
            Ok((Estimate::Gas(_), _)) | Err(_) => return unsure(),
            Ok((Estimate::InsufficientFunds, _)) => return wait(WaitReason::TreasuryShort, SHORT_WAIT_MS),
        };
        if of.is_none_or(|of| of < height) {
            return unsure();
        }
        let token = (!asset.is_native()).then_some(asset.address);
        match chain.balance(parcel.wallet.address, token).await {
            Ok(after) if after.value < parcel.total().to_u256() => wait(WaitReason::TreasuryShort, SHORT_WAIT_MS),
            Ok(_) => Verdict::Fatal { reason: format!("the transfer would revert: {reason}") },
            Err(_) => unsure(),
        }
    }

    /// Recent fees of a network, from memory for a short time.
    pub async fn fees(&self, network: &Network, chain: &dyn Chain) -> Option<Recent> {
        let now = self.clock.now_ms();
        let known = self.memory.fees.lock().unwrap_or_else(PoisonError::into_inner).get(&network.id).cloned();
        if let Some((until, recent)) = known
            && until > now
        {
            return Some(recent);
        }
        match chain.fee_history().await {
            Ok(reply) => {
                let recent = Recent { history: reply.value, height: reply.height.unwrap_or_default() };
                let entry = (now + FEES_FOR_MS, recent.clone());
                self.memory.fees.lock().unwrap_or_else(PoisonError::into_inner).insert(network.id.clone(), entry);
                Some(recent)
            }
            Err(error) => {
                tracing::warn!(network = %network.id, error = %error, "no fee history");
                None
            }
        }
    }
}

/// What a parcel's treasury holds of its asset in the newest block, and that block's height; `None` where nobody tells.
async fn held_at_head(chain: &dyn Chain, parcel: &Parcel) -> Option<(u64, U256)> {
    let height = chain.head().await.ok()?.value.number;
    let token = parcel.asset.address;
    let tokens: &[Address] = if token.is_zero() { &[] } else { &[token] };
    let held = chain.holdings(height, parcel.wallet.address, tokens).await.ok()?.value?;
    let units = if token.is_zero() { held.coin } else { held.tokens.first().copied().flatten()? };
    Some((height, units))
}

/// What an estimate may come to: with its margin it is what a transfer may have.
pub(crate) const fn most_estimated(network: &Network) -> u64 {
    network.transfer_gas_max / 6 * 5
}

/// A fifth more than the trial took: state moves between trial and block. A plain payment never takes more.
pub(crate) const fn with_margin(gas: u64) -> u64 {
    if gas == PLAIN_TRANSFER_GAS { gas } else { gas.saturating_add(gas / 5) }
}
