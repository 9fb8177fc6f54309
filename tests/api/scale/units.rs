//! The units of systemd in deploy/: accepted by it, and shut in as far as deploy/README.md says.

use std::process::Command;

#[test]
#[ignore = "needs systemd-analyze: make test-scale"]
fn the_units_are_accepted_and_the_service_is_shut_in() {
    let dir = tempfile::tempdir().unwrap();
    let service = std::fs::read_to_string("deploy/tickerd.service").unwrap();
    // A program that is there: whether it is, is checked as well.
    let here = service.replace("/usr/local/bin/tickerd", "/bin/true");
    assert_ne!(here, service);
    std::fs::write(dir.path().join("tickerd.service"), here).unwrap();
    std::fs::copy("deploy/tickerd.socket", dir.path().join("tickerd.socket")).unwrap();
    let analyze = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze")
            .args(arguments)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    let said = analyze(&["verify", "./tickerd.service", "./tickerd.socket"]);
    assert!(!said.contains("tickerd."), "{said}");
    // Of 100 points; what is left is for talking to a network at all.
    analyze(&["security", "--offline=true", "--threshold=15", "./tickerd.service"]);
}
