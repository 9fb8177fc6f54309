//! The directories that hold the local servers' files.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::LocalServerError;
use super::user::ServerUser;

/// Survives a reboot, unlike /tmp.
const FALLBACK_PARENT: &str = "/var/tmp";

/// Creates the directory for the local servers and returns its absolute path.
///
/// This is `wanted`, with one exception: when this process is root and the unprivileged user that
/// runs the servers cannot enter `wanted` (a clone below a closed `/root`), it is
/// `/var/tmp/tickerd-<hash of wanted>`.
///
/// # Errors
///
/// [`LocalServerError::NotWritable`]; [`LocalServerError::InUse`], an early check, as each server
/// locks its own directory when it starts; [`LocalServerError::WrongOwner`] when another user
/// created the fallback directory; [`LocalServerError::NoUnprivilegedUser`].
pub fn choose_dir(wanted: &Path) -> Result<PathBuf, LocalServerError> {
    let wanted = std::path::absolute(wanted).map_err(not_writable(wanted))?;
    let user = ServerUser::detect()?;
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

/// One server's directory, locked while this value lives.
pub(super) struct ServerDir {
    /// Absolute and free of symbolic links.
    pub(super) path: PathBuf,
    pub(super) user: ServerUser,
    _lock: DirLock,
}

impl ServerDir {
    /// Creates and locks `parent/server`, which only the server's user can read.
    pub(super) fn open(parent: &Path, server: &str) -> Result<Self, LocalServerError> {
        let user = ServerUser::detect()?;
        make_dir(parent, &user)?;
        let parent = parent.canonicalize().map_err(not_writable(parent))?;
        let lock = DirLock::take(&parent, server)?;
        let dir = parent.join(server);
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => user.chown_dir(&dir).map_err(not_writable(&dir))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(not_writable(&dir)(error)),
        }
        require_owner(&dir, user.uid())?;
        if !user.can_enter(&dir) {
            return Err(LocalServerError::NotReachable { uid: user.uid(), dir });
        }
        Ok(Self { path: dir, user, _lock: lock })
    }

    /// Writes a file that only the server's user can read.
    ///
    /// Always creates a new file: root must not follow a link that the directory's unprivileged
    /// owner could have placed there.
    pub(super) fn write_secret(&self, path: &Path, text: &str) -> Result<(), LocalServerError> {
        remove_if_exists(path)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options
            .open(path)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                self.user.chown_file(&file)
            })
            .map_err(LocalServerError::io("write", path))
    }
}

pub(super) fn remove_if_exists(path: &Path) -> Result<(), LocalServerError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LocalServerError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Removes the directories whose name starts with `prefix`, as far as possible.
pub(super) fn remove_with_prefix(dir: &Path, prefix: &str) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn make_dir(dir: &Path, user: &ServerUser) -> Result<(), LocalServerError> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(not_writable(dir))?;
    if user.switches() {
        // Root's umask may have closed the directory to the servers' user. Root stays its owner;
        // only the directories below change their owner.
        fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(not_writable(dir))?;
    }
    Ok(())
}

/// Any user can write to the parent, so an existing directory counts only if root owns it.
fn make_fallback(wanted: &Path) -> Result<PathBuf, LocalServerError> {
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

fn require_owner(dir: &Path, wanted: u32) -> Result<(), LocalServerError> {
    let metadata = dir.symlink_metadata().map_err(not_writable(dir))?;
    if !metadata.is_dir() {
        return Err(not_writable(dir)(ErrorKind::NotADirectory.into()));
    }
    let owner = metadata.uid();
    if owner != wanted {
        return Err(LocalServerError::WrongOwner { dir: dir.to_path_buf(), owner, wanted });
    }
    Ok(())
}

/// The kernel releases the lock when this process ends, so no lock is ever stale.
struct DirLock(File);

impl DirLock {
    fn take(dir: &Path, server: &str) -> Result<Self, LocalServerError> {
        let path = dir.join(format!("{server}.lock"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(not_writable(dir))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                Err(LocalServerError::InUse { dir: dir.to_path_buf() })
            }
            Err(TryLockError::Error(error)) => Err(LocalServerError::io("lock", &path)(error)),
        }
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread is starting holds a copy of the file,
        // and with it the lock, until it executes its program.
        let _ = self.0.unlock();
    }
}

fn not_writable(dir: &Path) -> impl FnOnce(io::Error) -> LocalServerError {
    let dir = dir.to_path_buf();
    move |reason| LocalServerError::NotWritable { dir, reason }
}

/// FNV-1a. The standard library's hasher may change with the compiler, and then the directory would
/// change too.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
