//! Secrets at rest: argon2id, as PHC strings, and a hint of each, by which most wrong ones are
//! refused.

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::password_hash::{Error, PasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::caller::KeyId;

/// Memory, passes and lanes: OWASP's password storage cheat sheet, argon2id with 19 MiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

#[derive(Debug, thiserror::Error)]
#[error("argon2id could not hash: {0}")]
pub struct HashError(String);

/// The PHC string of a secret, with a random salt. Takes about 15 ms of one core.
///
/// # Errors
/// When the operating system yields no randomness.
pub fn hash_secret(secret: &SecretString) -> Result<String, HashError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| HashError(e.to_string()))?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(secret.expose_secret().as_bytes())
        .map_err(|e| HashError(e.to_string()))?;
    Ok(hash.to_string())
}

/// What argon2id works in: 19 MiB, kept from one secret to the next. Taken anew for each they cost
/// a tenth to a quarter of its time, and a process that is idle seems to grow and shrink by them.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    /// Whether `secret` is the one behind `phc`, compared in constant time. The parameters are
    /// those of the PHC string; one that can't be read is nobody's.
    pub fn matches(&mut self, secret: &SecretString, phc: &str) -> bool {
        self.try_matches(secret, phc).unwrap_or(false)
    }

    fn try_matches(&mut self, secret: &SecretString, phc: &str) -> Result<bool, Error> {
        let hash = PasswordHash::new(phc)?;
        let (Some(salt), Some(right)) = (&hash.salt, &hash.hash) else { return Ok(false) };
        let (algorithm, params) =
            (Algorithm::try_from(hash.algorithm.as_str())?, Params::try_from(&hash)?);
        let version = hash.version.map(Version::try_from).transpose()?.unwrap_or_default();
        if self.0.len() != params.block_count() {
            self.0 = vec![Block::default(); params.block_count()];
        }
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..right.len()).ok_or(Error::OutputSize)?;
        let secret = secret.expose_secret().as_bytes();
        Argon2::new(algorithm, version, params).hash_password_into_with_memory(
            secret,
            salt,
            output,
            &mut self.0,
        )?;
        Ok(Output::new(output)? == *right)
    }
}

/// What is kept of a key's secret beside its hash: 8 bits of its digest. Of the wrong secrets that
/// are sent, one in 256 costs argon2id; of the work that argon2id makes for who guesses secrets by
/// a stolen row, all but a 256th is saved to him. More bits would spare us little and him much.
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
        let (one, other) = (hash_secret(&secret).unwrap(), hash_secret(&secret).unwrap());
        assert_ne!(one, other);
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        // In the same memory, whatever was in it.
        let mut memory = Memory::default();
        assert!(memory.matches(&secret, &one) && memory.matches(&secret, &other));
        assert!(!memory.matches(&"wrong".into(), &one));
        assert!(memory.matches(&secret, &one));
        assert!(!memory.matches(&secret, "no PHC string"));
        assert!(!memory.matches(&secret, "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IG5vYm9keSBubw"));
    }

    #[test]
    fn a_hint_stays_what_it_was_when_it_was_stored_and_differs_by_secret_and_by_key() {
        let (one, other): (KeyId, KeyId) =
            ("000000000000".parse().unwrap(), "111111111111".parse().unwrap());
        let hints = |id| Vec::from_iter((0..8).map(|n| hint_of(id, &format!("{n:032}").into())));
        // As another implementation of BLAKE3 has them.
        assert_eq!(hints(one), [35, 63, 21, 240, 163, 46, 220, 171]);
        assert_eq!(hints(other), [81, 217, 131, 207, 218, 181, 48, 95]);
    }
}
