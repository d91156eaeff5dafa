//! KMS keys of spec ECC_SECG_P256K1.

use alloy_primitives::{Address, B256};
use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};

use super::{KmsPublicKeys, count, error};
use crate::{
    curve,
    port::{KeyError, Signature},
};

pub(super) struct KmsKeys {
    client: Client,
    pub(super) public: KmsPublicKeys,
}

impl KmsKeys {
    pub(super) fn new(client: Client) -> Self {
        Self { public: KmsPublicKeys::of(client.clone()), client }
    }

    /// One call: the parity follows from the signer that is expected.
    pub(super) async fn sign(&self, key_id: &str, signer: Address, digest: B256) -> Result<Signature, KeyError> {
        count("Sign");
        let call = self
            .client
            .sign()
            .key_id(key_id)
            .message(Blob::new(digest.as_slice()))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send();
        let answer = call.await.map_err(error::of_call)?;
        let der = answer.signature.ok_or_else(|| KeyError::Unavailable("the answer holds no signature".into()))?;
        // What is no pair of numbers within the order comes from a key of another curve.
        let raw =
            k256::ecdsa::Signature::from_der(der.as_ref()).map_err(|_| KeyError::WrongKey { expected: signer })?;
        curve::finish(&raw, signer, digest)
    }
}
