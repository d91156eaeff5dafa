//! What depends on the price.

use super::{super::Class, *};

pub(super) const REPLACEMENT: Group = Group {
    class: Class::ReplacementUnderpriced,
    why: "Another transaction of this number waits at the node. Which one matters: an attempt of ours, or a \
          stranger's.",
    rows: &[
        row(
            "geth, Bor, op-geth",
            "replacement transaction underpriced",
            "replacement transaction underpriced",
            GETH_POOL,
        ),
        row(
            "geth",
            "replacement transaction underpriced: new tx gas fee cap 100 < 105 queued",
            "replacement transaction underpriced",
            "ethereum/go-ethereum core/txpool/blobpool/blobpool.go",
        ),
        row(
            "Erigon",
            "FEE_TOO_LOW: replacement transaction underpriced",
            "replacement transaction underpriced",
            ERIGON,
        ),
        row("Erigon", "INTERNAL_ERROR: could not replace existing tx", "could not replace existing tx", ERIGON),
        row(
            "Erigon",
            "INTERNAL_ERROR: replaced by transaction with higher tip",
            "replaced by transaction with higher tip",
            ERIGON,
        ),
        row("Nethermind", "ReplacementNotAllowed", "replacementnotallowed", NETHERMIND),
        row(
            "Nethermind",
            "replacement transaction underpriced",
            "replacement transaction underpriced",
            NETHERMIND_POOL,
        ),
        row("Besu", "Replacement transaction underpriced", "replacement transaction underpriced", BESU),
        row("Reth, op-reth", "replacement transaction underpriced", "replacement transaction underpriced", RETH_RPC),
        row(
            "Reth",
            "[0x5d6f2b]: insufficient gas price to replace existing transaction",
            "insufficient gas price to replace existing transaction",
            RETH_POOL,
        ),
        row(
            "anvil",
            "Tx: [0x5d6f2b] insufficient gas price to replace existing transaction",
            "insufficient gas price to replace existing transaction",
            ANVIL,
        ),
        row("OpenEthereum", "Gas price too low to replace", "gas price too low to replace", PARITY_TX),
        row(
            "OpenEthereum",
            "Transaction gas price 100wei is too low. There is another transaction with same nonce in the queue \
             with gas price 150wei. Try increasing the gas price or incrementing the nonce.",
            "another transaction with same nonce in the queue",
            PARITY,
        ),
    ],
};

pub(super) const UNDERPRICED: Group = Group {
    class: Class::Underpriced,
    why: "Below what this node, or the next block, asks for. Fees fall and floors differ, so it may be taken \
          later or elsewhere as it is.",
    rows: &[
        row("geth, Bor, op-geth", "transaction underpriced", "transaction underpriced", GETH_POOL),
        row(
            "geth, Bor",
            "transaction underpriced: gas tip cap 1, minimum needed 25000000000",
            "transaction underpriced",
            GETH_CHECKS,
        ),
        row(
            "geth, op-geth, BSC",
            "transaction gas price below minimum: gas tip cap 1500000000, minimum needed 25000000000",
            "transaction gas price below minimum",
            GETH_POOL,
        ),
        row(
            "geth, Nitro",
            "max fee per gas less than block base fee: address 0x33, maxFeePerGas: 1, baseFee: 7",
            "max fee per gas less than block base fee",
            GETH_CORE,
        ),
        row(
            "Bor",
            "transaction gas price below minimum: gas tip cap 1500000000, minimum needed 25000000000",
            "transaction gas price below minimum",
            BOR_CHECKS,
        ),
        row("Erigon", "FEE_TOO_LOW: underpriced", "underpriced", ERIGON),
        row("Erigon", "FEE_TOO_LOW: fee too low", "fee too low", ERIGON),
        row("Erigon", "fee cap less than block base fee", "fee cap less than block base fee", ERIGON_CORE),
        row(
            "Nethermind",
            "FeeTooLow, EffectivePriorityFeePerGas too low 0 < 1, BaseFee: 7",
            "feetoolow",
            NETHERMIND_FILTER,
        ),
        row(
            "Nethermind",
            "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 50, BaseFee: 100, MaxPriorityFeePerGas:20",
            "feetoolow",
            NETHERMIND_FILTER,
        ),
        row(
            "Nethermind",
            "FeeTooLowToCompete, FeePerGas needs to be higher than 100 to be added to the TxPool.",
            "feetoolowtocompete",
            NETHERMIND,
        ),
        row("Nethermind", "transaction underpriced", "transaction underpriced", NETHERMIND_POOL),
        row("Besu", "Gas price below configured minimum gas price", "below configured minimum gas price", BESU),
        row("Besu", "Gas price below current base fee", "gas price below current base fee", BESU),
        row("Reth, op-reth", "transaction underpriced", "transaction underpriced", RETH_RPC),
        row(
            "Reth, op-reth",
            "max fee per gas less than block base fee",
            "max fee per gas less than block base fee",
            RETH_RPC,
        ),
        row(
            "Reth",
            "transaction priority fee below minimum required priority fee 1000",
            "priority fee below minimum required",
            RETH_RPC,
        ),
        row("Reth", "transaction feeCap 5 below chain minimum", "below chain minimum", RETH_POOL),
        row("anvil", "max fee per gas less than block base fee", "max fee per gas less than block base fee", ANVIL),
        row("revm in anvil", "gas price is less than basefee", "gas price is less than basefee", REVM),
        row("Arbitrum Classic", "gas price too low", "gas price too low", ARB_CLASSIC),
        row(
            "OpenEthereum",
            "Transaction gas price is too low. It does not satisfy your node's minimal gas price (minimal: 100 \
             got: 50). Try increasing the gas price.",
            "does not satisfy your nodes minimal gas price",
            PARITY,
        ),
        row(
            "Celo",
            "gasprice is less than gas price minimum floor",
            "less than gas price minimum",
            "celo-org/celo-blockchain core/error.go",
        ),
    ],
};
