//! Known words that decide nothing.

use super::{super::Class, *};

pub(super) const UNDECIDED: Group = Group {
    class: Class::Unknown,
    why: "Known words that decide nothing. A node's own settings (fee cap, list of senders, filters, plugins, its \
          own gas ceiling) are no rule of the network: another node may take the same bytes, so the number and \
          the bytes are kept and sent again, to every provider, and the age of what no node has seen brings the \
          operator, who finds these words in the log. A simulation that reverted may pass in the next block. \
          A time that ran out, or a relay that failed, may have passed the bytes on.",
    rows: &[
        row(
            "geth, Erigon, Bor",
            "tx fee (1.10 ether) exceeds the configured cap (1.00 ether)",
            "exceeds the configured cap",
            GETH_API,
        ),
        row("geth", "only replay-protected (EIP-155) transactions allowed over RPC", "only replay protected", GETH_API),
        row("Reth", "tx fee (1100 wei) exceeds the configured cap (1000 wei)", "exceeds the configured cap", RETH_RPC),
        row(
            "op-geth",
            "exceeds maximum per-transaction gas limit",
            "exceeds maximum per transaction gas limit",
            OP_GETH_POOL,
        ),
        row("Reth", "exceeds max transaction gas limit", "exceeds max transaction gas limit", RETH_RPC),
        row(
            "Nethermind",
            "GasLimitExceeded, Gas limit: 30000000, gas limit of rejected tx: 60000000",
            "gaslimitexceeded",
            NETHERMIND_FILTER,
        ),
        row("Nethermind", "gas limit reached", "gas limit reached", NETHERMIND_POOL),
        row("Nethermind", "OwnNonceAlreadyUsed", "ownnoncealreadyused", NETHERMIND),
        row("Nethermind", "transaction invalid", "transaction invalid", NETHERMIND_POOL),
        row("Besu", "Transaction fee cap exceeded", "transaction fee cap exceeded", BESU),
        row(
            "Besu",
            "Sender account not authorized to send transactions",
            "sender account not authorized to send transactions",
            BESU,
        ),
        row(
            "Besu",
            "Plugin has marked the transaction as invalid",
            "plugin has marked the transaction as invalid",
            BESU,
        ),
        row("Nitro", "transaction sender is not on the whitelist", "sender is not on the whitelist", NITRO),
        row("Nitro", "execution reverted: transfer amount exceeds balance", "execution reverted", NITRO),
        row("Nitro", "sequencer internal error", "sequencer internal error", NITRO),
        row("Arbitrum Classic", "invalid transaction nonce", "invalid transaction nonce", ARB_CLASSIC),
        row("Arbitrum Classic", "forbidden sender address", "forbidden sender address", ARB_CLASSIC),
        row("all", "context deadline exceeded", "context deadline exceeded", "golang/go src/context/context.go"),
        row("Besu", "Timeout expired", "timeout expired", BESU),
        row("Optimism gateway", "gateway timeout", "gateway timeout", PROXYD),
        row("Optimism gateway", "backend returned an invalid response", "backend returned an invalid response", PROXYD),
    ],
};
