//! Where the private servers keep their files.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::PrivateError;
use super::user::RunAs;

/// Survives a reboot, unlike /tmp.
const FALLBACK_PARENT: &str = "/var/tmp";

/// Makes the directory for the private servers and returns its absolute path.
///
/// That is `wanted` itself, except when we are root and the unprivileged user
/// who runs the servers cannot get there (a clone below a closed `/root`):
/// then it is `/var/tmp/tickerd-<hash of wanted>`, always the same for the
/// same `wanted`.
///
/// # Errors
///
/// [`PrivateError::NotWritable`], [`PrivateError::InUse`] (an early answer:
/// each server holds its own lock while it lives),
/// [`PrivateError::OtherOwner`] when somebody else made the fallback
/// directory, and [`PrivateError::NoUnprivilegedUser`].
pub fn choose_dir(wanted: &Path) -> Result<PathBuf, PrivateError> {
    let wanted = std::path::absolute(wanted).map_err(not_writable(wanted))?;
    let user = RunAs::detect()?;
    let existing = wanted.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    let dir = if user.switches() && !user.can_enter(existing) {
        make_fallback(&wanted)?
    } else {
        make_dir(&wanted, &user)?;
        wanted
    };
    for server in ["postgres", "redis"] {
        drop(DirLock::take(&dir, server)?);
    }
    dir.canonicalize().map_err(not_writable(&dir))
}

/// One server's directory, locked for as long as this value lives.
pub(super) struct Home {
    /// Absolute and free of symbolic links.
    pub(super) dir: PathBuf,
    pub(super) user: RunAs,
    _lock: DirLock,
}

impl Home {
    /// Makes and locks `parent/server`, which only the server's user can read.
    pub(super) fn open(parent: &Path, server: &str) -> Result<Self, PrivateError> {
        let user = RunAs::detect()?;
        make_dir(parent, &user)?;
        let parent = parent.canonicalize().map_err(not_writable(parent))?;
        let lock = DirLock::take(&parent, server)?;
        let dir = parent.join(server);
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => user.give_dir(&dir).map_err(not_writable(&dir))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(not_writable(&dir)(error)),
        }
        require_owner(&dir, user.uid())?;
        if !user.can_enter(&dir) {
            return Err(PrivateError::NotReachable { uid: user.uid(), dir });
        }
        Ok(Self { dir, user, _lock: lock })
    }

    /// Writes a file that only the server's user can read.
    ///
    /// It is always a new file: root must not follow a link that the
    /// unprivileged owner of the directory could have put there.
    pub(super) fn write_secret(&self, path: &Path, text: &str) -> Result<(), PrivateError> {
        remove_if_there(path)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options
            .open(path)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                self.user.give_file(&file)
            })
            .map_err(PrivateError::io("write", path))
    }
}

pub(super) fn remove_if_there(path: &Path) -> Result<(), PrivateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(PrivateError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn make_dir(dir: &Path, user: &RunAs) -> Result<(), PrivateError> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(not_writable(dir))?;
    if user.switches() {
        // Root's umask may have closed it to the servers' user. It stays
        // root's: only what is below it is given away.
        fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(not_writable(dir))?;
    }
    Ok(())
}

/// Anybody can write to the parent, so the directory must be seen to be ours.
fn make_fallback(wanted: &Path) -> Result<PathBuf, PrivateError> {
    let name = format!("tickerd-{:016x}", fnv1a(wanted.as_os_str().as_bytes()));
    let dir = Path::new(FALLBACK_PARENT).join(name);
    match fs::create_dir(&dir) {
        Ok(()) => {
            let open = Permissions::from_mode(0o755);
            fs::set_permissions(&dir, open).map_err(not_writable(&dir))?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => require_owner(&dir, 0)?,
        Err(error) => return Err(not_writable(&dir)(error)),
    }
    Ok(dir)
}

fn require_owner(dir: &Path, wanted: u32) -> Result<(), PrivateError> {
    let metadata = dir.symlink_metadata().map_err(not_writable(dir))?;
    if !metadata.is_dir() {
        return Err(not_writable(dir)(ErrorKind::NotADirectory.into()));
    }
    let owner = metadata.uid();
    if owner != wanted {
        return Err(PrivateError::OtherOwner { dir: dir.to_path_buf(), owner, wanted });
    }
    Ok(())
}

/// The kernel releases it when our process ends, so none is ever stale.
struct DirLock(File);

impl DirLock {
    fn take(dir: &Path, server: &str) -> Result<Self, PrivateError> {
        let path = dir.join(format!("{server}.lock"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(not_writable(dir))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(PrivateError::InUse { dir: dir.to_path_buf() }),
            Err(TryLockError::Error(error)) => Err(PrivateError::io("lock", &path)(error)),
        }
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread is just starting
        // holds a copy of the file for a moment, and with it the lock.
        let _ = self.0.unlock();
    }
}

fn not_writable(dir: &Path) -> impl FnOnce(io::Error) -> PrivateError {
    let dir = dir.to_path_buf();
    move |reason| PrivateError::NotWritable { dir, reason }
}

/// FNV-1a: the standard library's hasher may change with the compiler, and
/// with it the directory.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
