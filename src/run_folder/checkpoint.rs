//! Finished steps of a run, as files that a later process finds again.
//!
//! | file | content |
//! | --- | --- |
//! | `index` | a checksum, and JSON: what the checkpoint is of, and the file, size and checksum of every step |
//! | `index.previous` | the same, of the checkpoint before, whose files are kept as long |
//! | `<number>.safetensors` | a [`Record`] |
//!
//! A thread of its own writes: all that has been finished since the last time, then, when that is on the disk, the index. So a
//! checkpoint is whole or isn't there, whenever the process dies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use consilience_ensembles::{Checkpoints, Record};

use super::index::{self, Index, NEW, RECORD, Stored, file_name, write_through};
use super::origin::Origin;
use crate::RunError;
use crate::output::sync_folder;

/// Runs shorter than this have no checkpoint, unless they are asked to.
const FIRST: Duration = Duration::from_secs(5);

/// The checkpoints of a run, in a folder.
pub struct CheckpointFolder {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    folder: PathBuf,
    origin: Origin,
    /// Time between two checkpoints, at least.
    every: Duration,
    /// Is told what a person has to know.
    tell: Box<dyn Fn(&str) + Send + Sync>,
    state: Mutex<State>,
    changed: Condvar,
    /// Held while files are written.
    writing: Mutex<()>,
}

struct State {
    /// What is on the disk.
    kept: BTreeMap<String, Stored>,
    /// What isn't yet: records, and steps to forget.
    pending: BTreeMap<String, Option<Arc<Record>>>,
    next_file: u64,
    due: Instant,
    closed: bool,
    has_failed: bool,
}

impl CheckpointFolder {
    /// Keeps the steps of a run that is made of `origin` in `folder`, which is made when there is something to keep, every so
    /// often. If there is a checkpoint, it is gone on with; `tell` is told what a person has to know of that.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if the checkpoint is of another run, or damaged with the one before it.
    pub fn open(
        folder: PathBuf,
        origin: Origin,
        every: Duration,
        tell: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, RunError> {
        let mut kept = BTreeMap::new();
        if index::is_there(&folder) {
            let (index, is_newest) = index::find(&folder)?;
            index.origin.check(&origin, &folder)?;
            if !is_newest {
                tell(&format!(
                    "{}: the newest checkpoint is damaged; going on from the one before",
                    folder.display()
                ));
            }
            kept = index.steps;
        }
        let number = |stored: &Stored| stored.file.split('.').next()?.parse::<u64>().ok();
        let state = State {
            next_file: kept.values().filter_map(number).max().map_or(0, |last| last + 1),
            kept,
            pending: BTreeMap::new(),
            due: Instant::now() + every.min(FIRST),
            closed: false,
            has_failed: false,
        };
        let shared = Arc::new(Shared {
            folder,
            origin,
            every,
            tell: Box::new(tell),
            state: Mutex::new(state),
            changed: Condvar::new(),
            writing: Mutex::new(()),
        });
        let writer = Arc::clone(&shared);
        let writer = thread::Builder::new().name("checkpoint".into()).spawn(move || writer.serve());
        // Without the thread, a checkpoint is written in the end alone.
        Ok(Self { shared, writer: writer.ok() })
    }

    /// Number of steps that were found or finished.
    #[must_use]
    pub fn n_steps(&self) -> usize {
        let state = self.shared.state();
        let new = state
            .pending
            .iter()
            .filter(|(step, record)| record.is_some() && !state.kept.contains_key(step.as_str()));
        state.kept.len() + new.count()
    }

    /// Writes what isn't on the disk yet, and nothing after that.
    pub fn close(&self) {
        self.stop();
        self.shared.write(true);
    }

    /// Writes nothing any more: what is being written is finished first, so that the folder can be moved or removed then.
    pub fn stop(&self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        drop(self.shared.one_writes());
    }
}

impl Drop for CheckpointFolder {
    fn drop(&mut self) {
        self.stop();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Checkpoints for CheckpointFolder {
    fn load(&self, step: &str) -> Option<Record> {
        let stored = {
            let state = self.shared.state();
            match state.pending.get(step) {
                Some(record) => return record.as_deref().cloned(),
                None => state.kept.get(step)?.clone(),
            }
        };
        Record::of_bytes(&stored.read(&self.shared.folder)?)
    }

    fn save(&self, step: &str, record: Record, outdated: Option<&str>) {
        let mut state = self.shared.state();
        state.pending.insert(step.into(), Some(Arc::new(record)));
        if let Some(outdated) = outdated {
            state.pending.insert(outdated.into(), None);
        }
        self.shared.changed.notify_all();
    }

    fn keeps(&self) -> bool {
        true
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes whenever there is something to write and it is time.
    fn serve(&self) {
        let mut state = self.state();
        while !state.closed {
            let wait = state.due.saturating_duration_since(Instant::now());
            if state.pending.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if !wait.is_zero() {
                let waited = self.changed.wait_timeout(state, wait);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else {
                drop(state);
                self.write(false);
                state = self.state();
                state.due = Instant::now() + self.every;
            }
        }
    }

    fn one_writes(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a checkpoint of all that is pending; when it is closed, only the `last` one. A run goes on without one, but says so.
    fn write(&self, last: bool) {
        let _one = self.one_writes();
        let (pending, mut steps, first) = {
            let state = self.state();
            if state.pending.is_empty() || (state.closed && !last) {
                return;
            }
            (state.pending.clone(), state.kept.clone(), state.next_file)
        };
        let written = self.write_files(&pending, &mut steps, first);
        if written.is_err() {
            // The disk may be full: halves of files help nobody.
            let names = (first..).take(pending.len()).map(file_name);
            for name in names.chain([NEW.into()]) {
                let _ = fs::remove_file(self.folder.join(name));
            }
        }
        let mut state = self.state();
        state.next_file = first + pending.len() as u64;
        match written {
            Ok(()) => {
                // What neither this checkpoint nor the one before names.
                let named = state.kept.values().chain(steps.values());
                let named: BTreeSet<&str> = named.map(|stored| stored.file.as_str()).collect();
                self.remove_others(&named);
                state.kept = steps;
                let is_same =
                    |old: &Option<Arc<Record>>, new: &Option<Arc<Record>>| match (old, new) {
                        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                        (old, new) => old.is_none() && new.is_none(),
                    };
                state
                    .pending
                    .retain(|step, new| !pending.get(step).is_some_and(|old| is_same(old, new)));
            }
            Err(error) if !state.has_failed => {
                state.has_failed = true;
                drop(state);
                (self.tell)(&format!(
                    "{}: no checkpoint can be written: {error}; the run goes on without",
                    self.folder.display()
                ));
            }
            Err(_) => {}
        }
    }

    /// Removes records that aren't named any more, also those that a dead process had begun.
    fn remove_others(&self, named: &BTreeSet<&str>) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(RECORD) && !named.contains(&*name) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn write_files(
        &self,
        pending: &BTreeMap<String, Option<Arc<Record>>>,
        steps: &mut BTreeMap<String, Stored>,
        first: u64,
    ) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        for (number, (step, record)) in (first..).zip(pending) {
            let Some(record) = record else {
                steps.remove(step);
                continue;
            };
            let (file, bytes) = (file_name(number), record.to_bytes());
            write_through(&self.folder.join(&file), &bytes)?;
            steps.insert(step.clone(), Stored::of(file, &bytes));
        }
        // Files are there before an index names them.
        sync_folder(&self.folder)?;
        Index::new(&self.origin, steps).write(&self.folder)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::index::INDEX;
    use super::*;

    fn origin() -> Origin {
        Origin {
            version: "1".into(),
            settings: "seed = 1\n".into(),
            command: Vec::new(),
            folder: "/".into(),
        }
    }

    /// What was told.
    type Told = Arc<Mutex<Vec<String>>>;

    fn open(folder: &Path) -> Result<(CheckpointFolder, Told), RunError> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let teller = Arc::clone(&told);
        let tell = move |line: &str| teller.lock().unwrap().push(line.to_owned());
        let hour = Duration::from_secs(3600);
        Ok((CheckpointFolder::open(folder.join("checkpoint"), origin(), hour, tell)?, told))
    }

    fn record(value: f32) -> Record {
        let mut record = Record::default();
        record.push("values", &[1], vec![value]);
        record
    }

    /// A checkpoint of a and b, then one of a, b and c, with b anew.
    fn twice(folder: &Path) {
        let (store, _) = open(folder).unwrap();
        store.save("a", record(1.0), None);
        store.save("b", record(2.0), None);
        store.shared.write(false);
        store.save("c", record(3.0), Some("gone"));
        store.save("b", record(4.0), None);
        assert_eq!(store.load("b"), Some(record(4.0)), "what isn't written is found, too");
        store.close();
    }

    fn found(store: &CheckpointFolder) -> [Option<Record>; 3] {
        ["a", "b", "c"].map(|step| store.load(step))
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder.join("checkpoint")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn steps_are_found_again_and_outdated_ones_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        twice(folder.path());
        let (store, told) = open(folder.path()).unwrap();
        assert_eq!(found(&store), [1.0, 4.0, 3.0].map(|value| Some(record(value))));
        store.save("d", record(5.0), Some("a"));
        store.close();
        drop(store);
        let (store, _) = open(folder.path()).unwrap();
        assert_eq!((store.load("a"), store.load("d")), (None, Some(record(5.0))));
        store.save("e", record(6.0), None);
        store.close();
        // a is in neither of the last two any more.
        let names = files(folder.path());
        assert_eq!(
            names.iter().filter(|name| name.ends_with("safetensors")).count(),
            4,
            "{names:?}"
        );
        assert!(told.lock().unwrap().is_empty());
    }

    #[test]
    fn of_a_damaged_checkpoint_the_one_before_is_taken_and_said() {
        let newest_of_b = "000002.safetensors";
        for damage in ["index", newest_of_b] {
            let folder = tempfile::tempdir().unwrap();
            twice(folder.path());
            let path = folder.path().join("checkpoint").join(damage);
            let mut bytes = fs::read(&path).unwrap();
            let last = bytes.len() - 3;
            bytes[last] ^= 1;
            fs::write(&path, bytes).unwrap();
            let (store, told) = open(folder.path()).unwrap();
            assert_eq!(found(&store), [Some(record(1.0)), Some(record(2.0)), None], "{damage}");
            let told = told.lock().unwrap().join("\n");
            assert!(
                told.contains("the newest checkpoint is damaged; going on from the one before")
            );
        }
        let folder = tempfile::tempdir().unwrap();
        twice(folder.path());
        fs::write(folder.path().join("checkpoint/000000.safetensors"), "both have it").unwrap();
        let error = open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("is damaged, and so is the one before"), "{error}");
    }

    /// Whenever the process dies between two writes, one of the two checkpoints is found.
    #[test]
    fn between_two_renames_the_new_one_is_found() {
        let folder = tempfile::tempdir().unwrap();
        twice(folder.path());
        let path = |name: &str| folder.path().join("checkpoint").join(name);
        fs::write(path(NEW), "half an ind").unwrap();
        assert!(found(&open(folder.path()).unwrap().0)[2].is_some());
        fs::rename(path(INDEX), path(NEW)).unwrap();
        let (store, told) = open(folder.path()).unwrap();
        assert!(found(&store)[2].is_some() && told.lock().unwrap().is_empty());
    }

    #[test]
    fn nothing_is_written_when_it_was_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("checkpoint");
        for step in 0..50 {
            let store = CheckpointFolder::open(at.clone(), origin(), Duration::ZERO, |_| ());
            let store = store.unwrap();
            store.save("a", record(1.0), None);
            thread::sleep(Duration::from_micros(100 * step));
            store.stop();
            let _ = fs::remove_dir_all(&at);
            // Until its thread has ended.
            drop(store);
            assert!(!at.exists(), "{step}");
        }
    }

    #[test]
    fn a_short_run_writes_nothing_and_a_thread_writes_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path()).unwrap();
        store.save("a", record(1.0), None);
        drop(store);
        assert!(!folder.path().join("checkpoint").exists());
        let at = folder.path().join("checkpoint");
        let store = CheckpointFolder::open(at.clone(), origin(), Duration::ZERO, |_| ()).unwrap();
        store.save("a", record(1.0), None);
        let start = Instant::now();
        while !at.join(INDEX).exists() {
            assert!(start.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(5));
        }
    }
}
