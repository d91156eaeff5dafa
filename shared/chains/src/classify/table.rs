//! The data: what each client and gateway says, by what it means. `docs/node-answers.md` is made from this.
//!
//! To add a text: one row in the group it belongs to, with the whole text as the node writes it, the phrase in it
//! that says so (words; `*` stands for a few words that vary), and where it was read. The tests then try it in
//! all its wrappings and against every other row.

mod busy;
mod price;
mod refused;
mod state;
mod undecided;

use super::Class;

/// Texts that mean the same.
#[derive(Debug)]
pub(super) struct Group {
    /// What they mean.
    pub(super) class: Class,
    /// Why they are read that way.
    pub(super) why: &'static str,
    /// The texts.
    pub(super) rows: &'static [Row],
}

/// One text.
#[derive(Debug)]
pub(super) struct Row {
    /// Who says it.
    pub(super) client: &'static str,
    /// The whole text, with plausible numbers where they vary.
    pub(super) text: &'static str,
    /// The words in it that decide.
    pub(super) phrase: &'static str,
    /// Repository and file, or page, that it was read from.
    pub(super) source: &'static str,
}

const fn row(client: &'static str, text: &'static str, phrase: &'static str, source: &'static str) -> Row {
    Row { client, text, phrase, source }
}

const GETH_POOL: &str = "ethereum/go-ethereum core/txpool/errors.go";
const GETH_CHECKS: &str = "ethereum/go-ethereum core/txpool/validation.go";
const GETH_LEGACY: &str = "ethereum/go-ethereum core/txpool/legacypool/legacypool.go";
const GETH_CORE: &str = "ethereum/go-ethereum core/error.go";
const GETH_TYPES: &str = "ethereum/go-ethereum core/types/transaction.go";
const GETH_SIGNING: &str = "ethereum/go-ethereum core/types/transaction_signing.go";
const GETH_RLP: &str = "ethereum/go-ethereum rlp/decode.go";
const GETH_API: &str = "ethereum/go-ethereum internal/ethapi/api.go";
const BOR_CHECKS: &str = "0xPolygon/bor core/txpool/validation.go";
const OP_GETH_POOL: &str = "ethereum-optimism/op-geth core/txpool/errors.go";
const ERIGON: &str = "erigontech/erigon txnprovider/txpool/txpoolcfg/txpoolcfg.go";
const ERIGON_API: &str = "erigontech/erigon rpc/jsonrpc/send_transaction.go";
const ERIGON_CORE: &str = "erigontech/erigon execution/protocol/error.go";
const NETHERMIND: &str = "NethermindEth/nethermind src/Nethermind/Nethermind.TxPool/AcceptTxResult.cs";
const NETHERMIND_POOL: &str = "NethermindEth/nethermind src/Nethermind/Nethermind.TxPool/TxPoolErrorMessages.cs";
const NETHERMIND_TX: &str = "NethermindEth/nethermind src/Nethermind/Nethermind.Core/Messages/TxErrorMessages.cs";
const NETHERMIND_FILTER: &str = "NethermindEth/nethermind src/Nethermind/Nethermind.TxPool/Filters";
const BESU: &str = "hyperledger/besu ethereum/api/.../jsonrpc/internal/response/RpcErrorType.java";
const BESU_CHECKS: &str = "hyperledger/besu ethereum/core/.../mainnet/MainnetTransactionValidator.java";
const RETH_RPC: &str = "paradigmxyz/reth crates/rpc/rpc-eth-types/src/error/mod.rs";
const RETH_POOL: &str = "paradigmxyz/reth crates/transaction-pool/src/error.rs";
const ANVIL: &str = "foundry-rs/foundry crates/anvil/src/eth/error.rs";
const REVM: &str = "bluealloy/revm crates/context/interface/src/result.rs";
const NITRO: &str = "OffchainLabs/nitro execution/gethexec/sequencer.go";
const NITRO_CHECKS: &str = "OffchainLabs/nitro execution/gethexec/tx_pre_checker.go";
const ARB_CLASSIC: &str = "OffchainLabs/arbitrum-classic packages/arb-evm/evm/result.go";
const PROXYD: &str = "ethereum-optimism/infra proxyd/backend.go";
const PARITY: &str = "openethereum/openethereum crates/rpc/src/v1/helpers/errors.rs";

const PARITY_TX: &str = "openethereum/openethereum crates/ethcore/types/src/transaction/error.rs";

/// Everything that is known, by meaning.
pub(super) const GROUPS: &[Group] = &[
    state::ALREADY_KNOWN,
    state::NUMBER_TOO_LOW,
    state::NUMBER_TOO_HIGH,
    price::REPLACEMENT,
    price::UNDERPRICED,
    state::FUNDS,
    busy::BUSY,
    refused::REFUSED,
    undecided::UNDECIDED,
];

/// Codes that mean a limit when no word is known: code, whose, source.
pub(super) const CODES: &[(i64, &str, &str)] = &[
    (429, "Alchemy", "docs.alchemy.com, error reference"),
    (-32005, "EIP-1474 (limit exceeded), Infura, Chainstack", "ethereum/EIPs EIPS/eip-1474.md"),
    (-32007, "QuickNode", "wevm/viem pull request 5083"),
    (-32012, "QuickNode", "foundry-rs/foundry pull request 6712"),
    (-32016, "Optimism gateway", PROXYD),
    (-32017, "Optimism gateway", PROXYD),
    (-32029, "several gateways", "therpc.io, rate limits"),
];
