//! Opens files that a user names, and creates the user's private files.
//!
//! Only regular files of bounded size are opened. A device that never ends, a pipe that nobody
//! writes to and a folder are refused at once, with a sentence. Files that contain a user's words
//! are created for that user alone (0600, folders 0700).

use crate::error::{Error, Result};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Maximum size of a configuration, session, recipe or list of queries, in bytes.
pub const SMALL: u64 = 16 << 20;
/// Maximum size of a manifest, journal, report or text of an experiment, in bytes.
pub const LARGE: u64 = 512 << 20;
/// Maximum size of a saved state, in bytes: twice that of the largest known models.
pub const STATE: u64 = 4 << 30;

/// Opens for reading a regular file of at most `max` bytes, or `/dev/null`, which is empty.
///
/// # Errors
/// [`Error::Io`] if the system refuses; [`Error::Input`] if it is not a regular file, or is longer.
pub fn open(path: &Path, max: u64) -> Result<File> {
    // Non-blocking: otherwise, opening a pipe would wait until something writes to it.
    let wait_for_nobody = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(wait_for_nobody).open(path).map_err(Error::io(path))?;
    let about = file.metadata().map_err(Error::io(path))?;
    let refuse = |what: String| Err(Error::Input(format!("{} {what}", path.display())));
    let kind = about.file_type();
    if kind.is_dir() {
        return refuse("is a folder, not a plain file".into());
    }
    // `--config /dev/null` means that there is no configuration.
    if !kind.is_file() && path != Path::new("/dev/null") {
        let what = match () {
            () if kind.is_fifo() => "a pipe",
            () if kind.is_socket() => "a socket",
            () => "a device",
        };
        return refuse(format!("is {what}, not a plain file"));
    }
    if about.len() > max {
        return refuse(too_long(about.len(), max));
    }
    Ok(file)
}

fn too_long(bytes: u64, max: u64) -> String {
    format!("has {} MiB; such a file may have at most {} MiB", bytes.div_ceil(1 << 20), max >> 20)
}

/// The bytes of a regular file of at most `max` bytes.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>> {
    let file = open(path, max)?;
    let mut bytes = Vec::with_capacity(file.metadata().map_or(0, |m| m.len() as usize));
    // The file may grow while it is read.
    file.take(max + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    if bytes.len() as u64 > max {
        return Err(Error::Input(format!("{} {}", path.display(), too_long(bytes.len() as u64, max))));
    }
    Ok(bytes)
}

/// The text of a regular file of at most `max` bytes.
///
/// # Errors
/// As [`read`]; [`Error::Input`] if it is not UTF-8, with the line.
pub fn text(path: &Path, max: u64) -> Result<String> {
    String::from_utf8(read(path, max)?).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].split(|b| *b == b'\n').count();
        Error::Input(format!("{}, line {line}: not UTF-8 text", path.display()))
    })
}

/// Whether an error says that the file does not exist.
pub fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
}

/// Options to create a file that contains a user's words: no other user may read it.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Removes all other users' permissions on a file that was created before such files were private.
///
/// # Errors
/// The system's.
pub fn make_private(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o777 == mode & 0o700 { Ok(()) } else { file.set_permissions(Permissions::from_mode(mode & 0o700)) }
}

/// Creates a folder, and its missing parents, for the user alone.
///
/// # Errors
/// The system's.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates a new file that contains a user's words. If it cannot be written completely, it is
/// removed.
///
/// # Errors
/// The system's; [`io::ErrorKind::AlreadyExists`] if the file exists, which is then left unchanged.
pub fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private().write(true).create_new(true).open(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| drop(std::fs::remove_file(path)))
}

/// Replaces a file atomically, through a temporary file whose name ends in `.new`: at every instant
/// either the old or the new file exists, complete. If that fails, the temporary file is removed.
/// For a link, its target is replaced. A device or a pipe is written to.
///
/// # Errors
/// [`Error::Io`].
pub fn replace(path: &Path, bytes: &[u8], options: &OpenOptions) -> Result<()> {
    let path = &pointed_to(path);
    if is_stream(path) {
        let write = || OpenOptions::new().write(true).open(path)?.write_all(bytes);
        return write().map_err(Error::io(path));
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let folder = folder_of(path);
    let write = || {
        let mut file = options.clone().write(true).create(true).truncate(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| {
        let _ = std::fs::remove_file(&new);
        Error::io(path)(error)
    })
}

/// The actual path of a file. Links are followed, even to a file that does not exist yet.
pub fn pointed_to(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    // A cycle of links is left for the system to refuse.
    for _ in 0..40 {
        let Ok(to) = std::fs::read_link(&place) else { break };
        place = folder_of(&place).join(to);
    }
    place
}

/// The folder that contains a file.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether the path is written to instead of replaced: a device, a pipe, a socket.
pub fn is_stream(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("good"), "text").unwrap();
        assert_eq!(read(&at("good"), 4).unwrap(), b"text");
        assert!(read(&at("good"), 3).unwrap_err().to_string().contains("may have"));
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        File::create(at("huge")).unwrap().set_len(1 << 40).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::fs::write(at("latin"), b"a\nb\xff").unwrap();
        let began = Instant::now();
        for (path, part) in [
            (PathBuf::from("/dev/zero"), "is a device"),
            (at("link"), "is a device"),
            (at("pipe"), "is a pipe"),
            (dir.path().to_owned(), "is a folder"),
            (at("huge"), "has 1048576 MiB; such a file may have at most 16 MiB"),
            (at("latin"), "line 2: not UTF-8"),
            (at("none"), "No such file"),
        ] {
            let message = text(&path, SMALL).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains(&path.display().to_string()), "{message}");
        }
        // (The system itself refuses to open a socket.)
        assert!(read(&at("socket"), SMALL).is_err());
        assert!(began.elapsed() < Duration::from_secs(1));
        assert!(is_missing(&read(&at("none"), 1).unwrap_err()) && !is_missing(&read(dir.path(), 1).unwrap_err()));
    }

    #[test]
    fn links_stay_links_and_pipes_are_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("far")).unwrap();
        std::fs::write(at("far/target"), "old").unwrap();
        std::os::unix::fs::symlink("far/target", at("link")).unwrap();
        std::os::unix::fs::symlink("link", at("again")).unwrap();
        std::os::unix::fs::symlink("far/new", at("dangling")).unwrap();
        for (link, target) in [("link", "far/target"), ("again", "far/target"), ("dangling", "far/new")] {
            replace(&at(link), link.as_bytes(), &private()).unwrap();
            assert_eq!(std::fs::read(at(target)).unwrap(), link.as_bytes());
            assert!(std::fs::symlink_metadata(at(link)).unwrap().is_symlink());
        }
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        let pipe = at("pipe");
        let reader = std::thread::spawn(move || std::fs::read(pipe).unwrap());
        replace(&at("pipe"), b"through", &private()).unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(!std::fs::metadata(at("pipe")).unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        std::fs::write(taken.join("within"), "").unwrap();
        assert!(replace(&taken, b"x", &private()).unwrap_err().to_string().contains("taken"));
        assert!(!dir.path().join("taken.new").exists());
        let path = dir.path().join("a.csv");
        replace(&path, b"1", &private()).unwrap();
        replace(&path, b"2", &private()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_a_users_own_is_made_and_becomes_private() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        private_folder(&folder).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&dir.path().join("a"))), (0o700, 0o700));
        let path = folder.join("old.log");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        make_private(&File::open(&path).unwrap()).unwrap();
        assert_eq!(mode(&path), 0o600);
    }
}
