//! The systemd units in deploy/: systemd accepts them, and the service is sandboxed as
//! deploy/README.md says.

use std::process::Command;

#[test]
#[ignore = "needs systemd-analyze: make test-scale"]
fn systemd_accepts_the_units_and_the_service_is_sandboxed() {
    let dir = tempfile::tempdir().unwrap();
    let service = std::fs::read_to_string("deploy/tickerd.service").unwrap();
    // systemd-analyze also checks that the program exists.
    let existing = service.replace("/usr/local/bin/tickerd", "/bin/true");
    assert_ne!(existing, service);
    std::fs::write(dir.path().join("tickerd.service"), existing).unwrap();
    std::fs::copy("deploy/tickerd.socket", dir.path().join("tickerd.socket")).unwrap();
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze")
            .args(arguments)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{text}");
        text
    };
    let text = analyze(&["verify", "./tickerd.service", "./tickerd.socket"]);
    assert!(!text.contains("tickerd."), "{text}");
    // The exposure, of 100 points. The rest comes from network access.
    analyze(&["security", "--offline=true", "--threshold=15", "./tickerd.service"]);
}
