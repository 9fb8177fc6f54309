//! How the secret of a key is stored: as an argon2id hash (a PHC string) and an 8-bit hint.
//!
//! The hint rejects most wrong secrets without argon2id. Only the hash accepts one.

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::password_hash::{Error, PasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::caller::KeyId;

// Memory, iterations and parallelism of argon2id as in OWASP's password storage cheat sheet, the
// variant with 19 MiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

#[derive(Debug, thiserror::Error)]
#[error("argon2id could not hash: {0}")]
pub struct HashError(String);

/// Hashes a secret with a random salt and returns the PHC string. Takes about 15 ms of one core.
///
/// # Errors
/// If the operating system provides no random bytes.
pub fn hash_secret(secret: &SecretString) -> Result<String, HashError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| HashError(e.to_string()))?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(secret.expose_secret().as_bytes())
        .map_err(|e| HashError(e.to_string()))?;
    Ok(hash.to_string())
}

/// The 19 MiB that argon2id works in, reused from one hash to the next. A new allocation for each
/// hash would slow it down and make the memory of the process fluctuate.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

impl HashMemory {
    /// Whether `secret` matches `secret_hash`, compared in constant time. The hash is a PHC string,
    /// which names its parameters. A malformed one matches no secret.
    pub fn matches(&mut self, secret: &SecretString, secret_hash: &str) -> bool {
        self.try_matches(secret, secret_hash).unwrap_or(false)
    }

    fn try_matches(&mut self, secret: &SecretString, secret_hash: &str) -> Result<bool, Error> {
        let hash = PasswordHash::new(secret_hash)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Ok(false) };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
        let params = Params::try_from(&hash)?;
        let version = hash.version.map(Version::try_from).transpose()?.unwrap_or_default();
        if self.0.len() != params.block_count() {
            self.0 = vec![Block::default(); params.block_count()];
        }
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..expected.len()).ok_or(Error::OutputSize)?;
        let secret = secret.expose_secret().as_bytes();
        Argon2::new(algorithm, version, params).hash_password_into_with_memory(
            secret,
            salt,
            output,
            &mut self.0,
        )?;
        Ok(Output::new(output)? == *expected)
    }
}

/// The hint of a key's secret: 8 bits of a digest of id and secret, stored beside the hash.
///
/// Of 256 wrong secrets, 255 have a different hint and are rejected without argon2id. An attacker
/// with a stolen row avoids 255 of 256 hashes in the same way. More bits would save the server
/// little more and the attacker much more.
pub fn hint_of(id: KeyId, secret: &SecretString) -> i16 {
    let mut digest = blake3::Hasher::new_derive_key("tickerd: hint of an API key's secret");
    digest.update(id.as_str().as_bytes()).update(secret.expose_secret().as_bytes());
    i16::from(digest.finalize().as_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_matches_and_every_hash_is_salted() {
        let secret = SecretString::from("correct");
        let first = hash_secret(&secret).unwrap();
        let second = hash_secret(&secret).unwrap();
        assert_ne!(first, second);
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        // The content of the reused memory does not matter.
        let mut memory = HashMemory::default();
        assert!(memory.matches(&secret, &first) && memory.matches(&secret, &second));
        assert!(!memory.matches(&"wrong".into(), &first));
        assert!(memory.matches(&secret, &first));
        assert!(!memory.matches(&secret, "no PHC string"));
        assert!(!memory.matches(&secret, "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IG5vYm9keSBubw"));
    }

    #[test]
    fn hints_stay_valid_across_versions_and_depend_on_secret_and_key() {
        let hints = |id: &str| {
            let id: KeyId = id.parse().unwrap();
            Vec::from_iter((0..8).map(|n| hint_of(id, &format!("{n:032}").into())))
        };
        // Computed with another implementation of BLAKE3.
        assert_eq!(hints("000000000000"), [35, 63, 21, 240, 163, 46, 220, 171]);
        assert_eq!(hints("111111111111"), [81, 217, 131, 207, 218, 181, 48, 95]);
    }
}
