//! Tokens from clients. A valid token is written exactly as it was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret;
use tickerd::keys::Token;

fuzz_target!(|text: &str| {
    if let Some(token) = Token::parse(text) {
        assert_eq!(token.reveal().expose_secret(), text);
    }
});
