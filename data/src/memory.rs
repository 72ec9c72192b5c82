//! How much memory there is to be had, from Linux: the machine's, or what a control group (a container) leaves of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of memory that can be had without swapping: the machine's, or what its control group (a container) leaves; `None` where the system doesn't say.
#[must_use]
pub fn free_memory() -> Option<u64> {
    available_at(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
}

/// Bytes that what is read may unpack to: what a person said, else three quarters of what is free.
pub(crate) fn budget(max_memory: Option<u64>) -> u64 {
    max_memory.or_else(|| free_memory().map(|free| free / 4 * 3)).unwrap_or(u64::MAX)
}

/// With `proc` and `groups` where Linux has `/proc` and `/sys/fs/cgroup`.
fn available_at(proc: &Path, groups: &Path) -> Option<u64> {
    let own = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
    let left =
        own.lines().flat_map(|line| folders(line, groups)).filter_map(|folder| left(&folder));
    of_machine(proc).into_iter().chain(left).min()
}

fn of_machine(proc: &Path) -> Option<u64> {
    let info = fs::read_to_string(proc.join("meminfo")).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The folders of a group that has a say on memory, and of all groups around it: each may have a limit. `line` is one of
/// `/proc/self/cgroup`, `number:controllers:path`; version 2 has number 0 and no controllers. In a container, the path may be
/// one outside of it, of which only the root is to be seen.
fn folders(line: &str, groups: &Path) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let root = match controllers {
        "" => groups.to_path_buf(),
        names if names.split(',').any(|name| name == "memory") => groups.join("memory"),
        _ => return Vec::new(),
    };
    let path = Path::new(path.trim_start_matches('/'));
    path.ancestors().map(|ancestor| root.join(ancestor)).collect()
}

/// What a group's limit leaves; `None` without a limit. Files in memory that nobody has used lately can be given up.
fn left(folder: &Path) -> Option<u64> {
    let number = |names: [&str; 2]| {
        let read = |name: &&str| fs::read_to_string(folder.join(name)).ok();
        names.iter().find_map(read)?.trim().parse::<u64>().ok()
    };
    let limit = number(["memory.max", "memory.limit_in_bytes"])?;
    let used = number(["memory.current", "memory.usage_in_bytes"])?;
    let statistics = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let unused_files = ["total_inactive_file ", "inactive_file "].iter().find_map(|name| {
        let line = statistics.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<u64>().ok()
    });
    Some(limit.saturating_sub(used.saturating_sub(unused_files.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of a million kibibytes, its group, and files of groups.
    fn available(group: &str, files: &[(&str, &str)]) -> Option<u64> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write("proc/self/cgroup", group);
        write("proc/meminfo", "MemTotal: 2000000 kB\nMemAvailable:  1000000 kB\n");
        files.iter().for_each(|(name, content)| write(&format!("groups/{name}"), content));
        available_at(&folder.path().join("proc"), &folder.path().join("groups"))
    }

    #[test]
    fn the_machine_has_the_say_without_a_limit() {
        assert_eq!(available("0::/\n", &[]), Some(1_024_000_000));
        let none = [("a/memory.max", "max\n"), ("a/memory.current", "5\n")];
        assert_eq!(available("0::/a\n", &none), Some(1_024_000_000));
        assert_eq!(available_at(Path::new("/nowhere"), Path::new("/nowhere")), None);
    }

    #[test]
    fn a_group_of_version_2_leaves_what_it_does_not_use() {
        let files = [
            ("a/b/memory.max", "600000\n"),
            ("a/b/memory.current", "300000\n"),
            ("a/b/memory.stat", "anon 1\ninactive_file 100000\nactive_file 7\n"),
        ];
        assert_eq!(available("0::/a/b\n", &files), Some(400_000));
        let around = [("a/memory.max", "500\n"), ("a/memory.current", "200\n")];
        assert_eq!(available("0::/a/b\n", &[&files[..], &around].concat()), Some(300));
        // As a container sees it that has no namespace of its own.
        let root = [("memory.max", "800\n"), ("memory.current", "900\n")];
        assert_eq!(available("0::/docker/1234\n", &root), Some(0));
    }

    #[test]
    fn a_group_of_version_1_has_a_controller_for_memory() {
        let files = [
            ("memory/a/memory.limit_in_bytes", "600000\n"),
            ("memory/a/memory.usage_in_bytes", "300000\n"),
            ("memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 100000\n"),
            ("cpu/a/memory.max", "1\n"),
        ];
        assert_eq!(available("5:cpu,cpuacct:/a\n4:memory:/a\n", &files), Some(400_000));
        // No limit is a number larger than any machine.
        let none = [
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/memory.usage_in_bytes", "300000\n"),
        ];
        assert_eq!(available("4:memory:/\n", &none), Some(1_024_000_000));
    }
}
