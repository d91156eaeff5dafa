//! What depends on the sender: its numbers, its waiting transactions, its balance.

use super::{super::Class, *};

pub(super) const ALREADY_KNOWN: Group = Group {
    class: Class::AlreadyKnown,
    why: "The node says it has, or has had, exactly these bytes. That is no proof that it still holds them \
          (Nethermind answers from a cache of hashes it has seen), so it is never taken for an inclusion: \
          the tracker looks for that.",
    rows: &[
        row("geth, Bor, op-geth, Nitro", "already known", "already known", GETH_POOL),
        row(
            "geth before 1.9.12",
            "known transaction: 0x7f657507aee0511e36d2d1972a6b22e917cc89f92b6c12c4dbd57eaabb236960",
            "known transaction",
            "ethereum/go-ethereum core/tx_pool.go",
        ),
        row("Erigon", "ALREADY_EXISTS: already known", "already known", ERIGON_API),
        row("Erigon", "INTERNAL_ERROR: existing txn with same hash", "existing txn with same hash", ERIGON),
        row("Nethermind", "AlreadyKnown", "alreadyknown", NETHERMIND),
        row("Nethermind", "already known", "already known", NETHERMIND_POOL),
        row("Besu", "Known transaction", "known transaction", BESU),
        row("Reth, op-reth", "already known", "already known", RETH_RPC),
        row("Reth", "[0x5d6f2b]: already imported", "already imported", RETH_POOL),
        row("anvil", "Tx: [0x5d6f2b] already Imported", "already imported", ANVIL),
        row(
            "OpenEthereum",
            "Transaction with the same hash was already imported.",
            "same hash was already imported",
            PARITY,
        ),
        row(
            "zkSync",
            "known transaction. transaction with hash 0x6013 is already in the system",
            "known transaction",
            "matter-labs/zksync-era core/node/api_server/src/tx_sender/result.rs",
        ),
        row("Sei", "tx already exists in cache", "tx already exists in cache", "cometbft/cometbft mempool/errors.go"),
    ],
};

pub(super) const NUMBER_TOO_LOW: Group = Group {
    class: Class::NumberTooLow,
    why: "A block of the node's chain has used the number. By whom, only receipts tell: this text alone neither \
          confirms nor fails anything.",
    rows: &[
        row("geth, Bor, op-geth", "nonce too low: next nonce 551651, tx nonce 55", "nonce too low", GETH_CORE),
        row(
            "Nitro",
            "nonce too low: address 0x336394A3219e71D9d9bd18201d34E95C1Bb7122C, tx: 8089 state: 8090",
            "nonce too low",
            NITRO,
        ),
        row("Erigon", "INTERNAL_ERROR: nonce too low", "nonce too low", ERIGON),
        row("Nethermind", "OldNonce, Current nonce: 22, nonce of rejected tx: 17", "oldnonce", NETHERMIND),
        row("Nethermind", "nonce too low", "nonce too low", NETHERMIND_POOL),
        row("Besu", "Nonce too low", "nonce too low", BESU),
        row("Besu", "transaction nonce 4 below sender account nonce 9", "below sender account nonce", BESU_CHECKS),
        row("Reth, op-reth", "nonce too low: next nonce 9, tx nonce 4", "nonce too low", RETH_RPC),
        row("anvil", "nonce too low", "nonce too low", ANVIL),
        row("revm in anvil", "nonce 4 too low, expected 9", "nonce * too low expected", REVM),
        row("OpenEthereum", "Transaction nonce is too low. Try incrementing the nonce.", "nonce is too low", PARITY),
    ],
};

pub(super) const NUMBER_TOO_HIGH: Group = Group {
    class: Class::NumberTooHigh,
    why: "The node does not have the numbers before this one; sending them first heals it. A node that lags says \
          it too.",
    rows: &[
        row("geth", "nonce too high: tx nonce 9, gapped nonce 4", "nonce too high", GETH_CORE),
        row("geth", "gapped-nonce tx from delegated accounts", "gapped nonce tx from delegated accounts", GETH_LEGACY),
        row(
            "Nitro",
            "nonce too high: address 0x336394A3219e71D9d9bd18201d34E95C1Bb7122C, tx: 8091 state: 8090",
            "nonce too high",
            NITRO,
        ),
        row("Nethermind", "NonceGap, Future nonce. Expected nonce: 10", "noncegap", NETHERMIND),
        row("Nethermind", "NonceTooFarInFuture", "noncetoofarinfuture", NETHERMIND),
        row("Nethermind", "nonce too far in future", "nonce too far in future", NETHERMIND_POOL),
        row("Nethermind", "delegation nonce gap", "delegation nonce gap", NETHERMIND_POOL),
        row("Besu", "Nonce too high", "nonce too high", BESU),
        row(
            "Besu",
            "Transaction nonce is too distant from current sender nonce",
            "too distant from current sender nonce",
            BESU,
        ),
        row(
            "Besu",
            "An invalid transaction with a lower nonce exists",
            "invalid transaction with a lower nonce exists",
            BESU,
        ),
        row("Reth, op-reth", "nonce too high", "nonce too high", RETH_RPC),
        row("anvil", "Nonce too high", "nonce too high", ANVIL),
        row("revm in anvil", "nonce 9 too high, expected 4", "nonce * too high expected", REVM),
    ],
};

pub(super) const FUNDS: Group = Group {
    class: Class::InsufficientFunds,
    why: "At this node's state the sender cannot pay value and gas (rollups add the cost of the layer below). \
          A top-up in the next block, or a node further ahead, changes that.",
    rows: &[
        row(
            "geth, Bor",
            "insufficient funds for gas * price + value: balance 0, tx cost 2100000, overshot 2100000",
            "insufficient funds",
            GETH_CORE,
        ),
        row(
            "geth",
            "insufficient funds for gas * price + value: balance 9, queued cost 8, tx cost 5, overshot 4",
            "insufficient funds",
            GETH_CHECKS,
        ),
        row("geth", "insufficient funds for transfer", "insufficient funds", GETH_CORE),
        row(
            "geth",
            "insufficient balance for transfer",
            "insufficient balance for transfer",
            "ethereum/go-ethereum core/vm/errors.go",
        ),
        row("geth", "transaction would cause overdraft", "transaction would cause overdraft", GETH_POOL),
        row(
            "Nitro",
            "insufficient funds for gas * price + value: address 0xb68D have 9934612900000000 want 9936662900000000",
            "insufficient funds",
            NITRO,
        ),
        row("Arbitrum Classic", "not enough funds for gas", "not enough funds for gas", ARB_CLASSIC),
        row("Erigon", "INTERNAL_ERROR: insufficient funds", "insufficient funds", ERIGON),
        row(
            "Nethermind",
            "InsufficientFunds, Account balance: 4740799397601480913, cumulative cost: 22019342038993800000",
            "insufficientfunds",
            NETHERMIND,
        ),
        row(
            "Nethermind",
            "insufficient funds for gas * price + value, Balance is 9 less than sending value + gas 12",
            "insufficient funds",
            NETHERMIND_TX,
        ),
        row("Besu", "Upfront cost exceeds account balance", "upfront cost exceeds account balance", BESU),
        row(
            "Besu",
            "transaction up-front cost 0x5 exceeds transaction sender account balance 0x1",
            "exceeds transaction sender account balance",
            BESU_CHECKS,
        ),
        row(
            "Reth, op-reth",
            "insufficient funds for gas * price + value: have 1 want 2",
            "insufficient funds",
            RETH_RPC,
        ),
        row("Reth", "transaction overdraws from account", "transaction overdraws from account", RETH_POOL),
        row("anvil", "Insufficient funds for gas * price + value", "insufficient funds", ANVIL),
        row("revm in anvil", "lack of funds (100) for max fee (200)", "lack of funds", REVM),
        row(
            "OpenEthereum",
            "Insufficient funds. The account you tried to send transaction from does not have enough funds. \
             Required 200 and got: 100.",
            "insufficient funds",
            PARITY,
        ),
    ],
};
