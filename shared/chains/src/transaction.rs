//! EIP-1559 transactions: what is signed, how it is encoded, and how stored bytes are read back.
//!
//! Invariant: what [`seal`] writes, [`open`] reads back to the same payment, hash and signer;
//! a signer checks this before its bytes are stored.

use alloy::{
    consensus::{SignableTransaction, Signed, TxEip1559, crypto::secp256k1::recover_signer},
    eips::{eip2718::Eip2718Error, eip2930::AccessList},
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use causeway_domain::fees::Fees;

/// One call of one contract or address, as it is signed; its access list is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// EIP-155 chain id: the bytes are worthless on any other network.
    pub chain_id: u64,
    /// The sender's number (nonce).
    pub number: u64,
    /// Called address.
    pub to: Address,
    /// Wei sent along.
    pub value: U256,
    /// Input.
    pub data: Bytes,
    /// Gas limit.
    pub gas_limit: u64,
    /// Price, in wei per gas.
    pub fees: Fees,
}

/// Signed bytes and the hash they are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// EIP-2718 encoding, ready for a broadcast.
    pub raw: Bytes,
    /// The transaction's hash: keccak-256 of `raw`.
    pub hash: B256,
}

/// Signed bytes read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Recovered signer.
    pub from: Address,
    /// What was signed.
    pub payment: Payment,
    /// The transaction's hash.
    pub hash: B256,
}

/// Why bytes are not one of our transactions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not exactly one signed EIP-1559 transaction.
    #[error("the bytes are not one signed EIP-1559 transaction: {0}")]
    Encoding(String),
    /// It creates a contract.
    #[error("the transaction calls nobody")]
    NoRecipient,
    /// It carries an access list, which ours never do.
    #[error("the transaction has an access list")]
    AccessList,
    /// No signer can be recovered, or the signature is not the low one of its pair (EIP-2).
    #[error("the signature is not valid")]
    Signature,
}

/// The hash to sign.
pub fn digest(payment: &Payment) -> B256 {
    body(payment).signature_hash()
}

/// Joins a payment and its signature; `s` is expected in the lower half (EIP-2).
pub fn seal(payment: &Payment, r: U256, s: U256, y_odd: bool) -> Sealed {
    let signed = body(payment).into_signed(Signature::new(r, s, y_odd));
    let mut raw = Vec::with_capacity(signed.eip2718_encoded_length());
    signed.eip2718_encode(&mut raw);
    Sealed { raw: raw.into(), hash: *signed.hash() }
}

/// Reads signed bytes back and recovers their signer.
pub fn open(raw: &Bytes) -> Result<Opened, OpenError> {
    // The trait's own recovery takes a high s, which nodes refuse.
    open_with(raw, |signature, digest| recover_signer(signature, digest).ok())
}

/// What signed bytes do, and their hash, whoever signed them: for bytes that were held against their signer elsewhere, as
/// recovering one costs more than all else.
pub fn payment_of(raw: &Bytes) -> Result<(Payment, B256), OpenError> {
    open_with(raw, |_, _| Some(Address::ZERO)).map(|opened| (opened.payment, opened.hash))
}

/// As [`open`], with another way from a signature and what it signs to its signer.
pub(crate) fn open_with(
    raw: &Bytes,
    signer: impl FnOnce(&Signature, B256) -> Option<Address>,
) -> Result<Opened, OpenError> {
    let mut rest = raw.as_ref();
    let signed = Signed::<TxEip1559>::eip2718_decode(&mut rest)
        .map_err(|error: Eip2718Error| OpenError::Encoding(error.to_string()))?;
    if !rest.is_empty() {
        return Err(OpenError::Encoding(format!("{} bytes too many", rest.len())));
    }
    let from = signer(signed.signature(), signed.signature_hash()).ok_or(OpenError::Signature)?;
    let hash = *signed.hash();
    let transaction = signed.strip_signature();
    let TxKind::Call(to) = transaction.to else { return Err(OpenError::NoRecipient) };
    if !transaction.access_list.0.is_empty() {
        return Err(OpenError::AccessList);
    }
    let payment = Payment {
        chain_id: transaction.chain_id,
        number: transaction.nonce,
        to,
        value: transaction.value,
        data: transaction.input,
        gas_limit: transaction.gas_limit,
        fees: Fees { max_fee_wei: transaction.max_fee_per_gas, max_priority_wei: transaction.max_priority_fee_per_gas },
    };
    Ok(Opened { from, payment, hash })
}

fn body(payment: &Payment) -> TxEip1559 {
    TxEip1559 {
        chain_id: payment.chain_id,
        nonce: payment.number,
        gas_limit: payment.gas_limit,
        max_fee_per_gas: payment.fees.max_fee_wei,
        max_priority_fee_per_gas: payment.fees.max_priority_wei,
        to: TxKind::Call(payment.to),
        value: payment.value,
        access_list: AccessList::default(),
        input: payment.data.clone(),
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, hex, keccak256, uint};
    use k256::ecdsa::SigningKey;
    use proptest::prelude::*;

    use super::*;

    /// Order of secp256k1 (SEC 2, 2.4.1).
    const ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);

    fn payment() -> Payment {
        Payment {
            chain_id: 31337,
            number: 7,
            to: address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
            value: U256::from(1_500_000_000_000_000_000_u64),
            data: Bytes::from_static(&[1, 2, 3]),
            gas_limit: 21_000,
            fees: Fees { max_fee_wei: 30_000_000_000, max_priority_wei: 1_000_000_000 },
        }
    }

    fn sign(key: &SigningKey, payment: &Payment) -> (U256, U256, bool) {
        let (signature, recovery) =
            key.sign_prehash_recoverable(digest(payment).as_slice()).expect("a digest has 32 bytes");
        let r = U256::from_be_slice(&signature.r().to_bytes());
        let s = U256::from_be_slice(&signature.s().to_bytes());
        (r, s, recovery.is_y_odd())
    }

    /// The first account of the mnemonic that anvil and hardhat share.
    fn key() -> SigningKey {
        let secret = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
        SigningKey::from_slice(&secret).expect("a valid key")
    }

    #[test]
    fn opens_what_it_sealed() {
        let payment = payment();
        let (r, s, y_odd) = sign(&key(), &payment);
        let sealed = seal(&payment, r, s, y_odd);
        assert_eq!(sealed.raw[0], 2, "the type byte of EIP-1559");
        assert_eq!(sealed.hash, keccak256(&sealed.raw));
        let opened = open(&sealed.raw).expect("just sealed");
        assert_eq!(opened.from, address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!(opened.payment, payment);
        assert_eq!(opened.hash, sealed.hash);
    }

    #[test]
    fn a_high_s_and_a_flipped_parity_are_noticed() {
        let payment = payment();
        let (r, s, y_odd) = sign(&key(), &payment);
        let high = seal(&payment, r, ORDER - s, !y_odd);
        assert_eq!(open(&high.raw), Err(OpenError::Signature));
        let flipped = open(&seal(&payment, r, s, !y_odd).raw).map(|opened| opened.from);
        assert_ne!(flipped, Ok(address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")));
    }

    #[test]
    fn other_bytes_are_refused() {
        let payment = payment();
        let (r, s, y_odd) = sign(&key(), &payment);
        let sealed = seal(&payment, r, s, y_odd);
        let mut longer = sealed.raw.to_vec();
        longer.push(0);
        assert!(matches!(open(&longer.into()), Err(OpenError::Encoding(_))));
        assert!(matches!(open(&sealed.raw.slice(..sealed.raw.len() - 1)), Err(OpenError::Encoding(_))));
        assert!(matches!(open(&Bytes::new()), Err(OpenError::Encoding(_))));
        let mut creation = body(&payment);
        creation.to = TxKind::Create;
        let hash = creation.signature_hash();
        let (signature, recovery) = key().sign_prehash_recoverable(hash.as_slice()).expect("32 bytes");
        let mut raw = Vec::new();
        creation.into_signed(Signature::from((signature, recovery))).eip2718_encode(&mut raw);
        assert_eq!(open(&raw.into()), Err(OpenError::NoRecipient));
    }

    proptest! {
        #[test]
        fn every_field_survives(
            chain_id in 1_u64.., number: u64, to: [u8; 20], value: [u8; 32], data: Vec<u8>,
            gas_limit: u64, max_fee_wei: u128, max_priority_wei: u128,
        ) {
            let payment = Payment {
                chain_id, number, to: to.into(), value: U256::from_be_bytes(value), data: data.into(),
                gas_limit, fees: Fees { max_fee_wei, max_priority_wei },
            };
            let (r, s, y_odd) = sign(&key(), &payment);
            let opened = open(&seal(&payment, r, s, y_odd).raw).expect("just sealed");
            prop_assert_eq!(opened.payment, payment);
        }

        #[test]
        fn any_bytes_are_answered(raw: Vec<u8>) {
            let _ = open(&raw.into());
        }
    }
}
