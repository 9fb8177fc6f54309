//! tickerd on a real machine: Debian with systemd, reached over ssh. `make test-deploy` boots it.

mod debian;
mod deployment;
mod operator;
mod over_ssh;
mod service;
