//! Command lines to paste, shown below each command's help.

pub(super) const PROGRAM: &str = "\
Examples:
  Cluster the embedded handwritten digits, or a file
    consilience cluster digits
    consilience cluster data.npy -k 10
  Write the pseudo-labels to a file
    consilience export runs/digits-1 --out labels.csv

'consilience help cluster' lists all options.";

pub(super) const CLUSTER: &str = "\
Examples:
  The embedded digits, which need no file
    consilience cluster digits
  A file of yours, with the true labels for scores
    consilience cluster data.csv -k 10 --labels labels.txt
  As many clusters as there are, or as many as there are from 5 to 30
    consilience cluster data.npy
    consilience cluster data.npy -k 5..30
  A quick look: fewer models, one round
    consilience cluster data.npy -k 10 --models 3 --rounds 1
  The same settings again, in a folder of your choice
    consilience cluster data.npy -k 10 --config runs/data-1/config.toml --out runs/again
  Images with their captions: other features of the same samples, joined by ids
    consilience cluster images.npz -k 10 --view captions.npz
  Pairs that are in one cluster, and such that aren't: two ids a line
    consilience cluster data.csv --must-link same.csv --cannot-link different.csv
  The scores alone, for a script
    consilience cluster digits --quiet --json | jq .acc";

pub(super) const TRAIN: &str = "\
Examples:
  Labels of some samples in a file, by ids: a line for each
    consilience train data.csv --labels-partial some.csv
  A column of the data that is empty where nothing is known
    consilience train data.csv --labels-partial column:species
  Another way to learn, with the true labels for scores
    consilience train data.npy --labels-partial some.npy --method ladder,graph --labels truth.npy
  Classes of new samples
    consilience predict runs/data-1 new.csv";

pub(super) const PSEUDO_LABEL: &str = "\
Examples:
  A table with a column for each model and a line for each sample
    consilience pseudo-label votes.csv -k 10
  One file for each model
    consilience pseudo-label kmeans.npy gmm.npy spectral.npy -k 10
  The votes of a run, with a stricter choice
    consilience pseudo-label runs/digits-1 -k 10 --min-agree 100% --min-confidence 0.9
  Who agrees with whom, for Gephi
    consilience pseudo-label votes.csv -k 10 --graph votes.graphml
  Signatures that a database has counted, of what 'predict --votes' wrote
    consilience pseudo-label runs/digits-1 --counts counts.csv --out labels.csv";

pub(super) const CUT: &str = "\
Examples:
  Five clusters in place of ten
    consilience cut runs/digits-1 -k 5
  Twenty, in a folder of your choice, from data that has been moved
    consilience cut runs/data-1 archive/data.npy -k 20 --out runs/finer
  New samples get the new clusters
    consilience predict runs/finer new.npy";

pub(super) const COMPARE: &str = "\
Examples:
  What another seed, or a newer version of the data, has changed
    consilience compare runs/digits-1 runs/digits-2
  With a table of the samples that moved
    consilience compare runs/digits-1 runs/digits-2 --out moved.csv";

pub(super) const EMBED: &str = "\
Examples:
  What an autoencoder makes of images, and its clusters
    consilience embed images.npy --pretext autoencoder
    consilience cluster images-embedding.npy -k 10
  Two views of each image that are to be alike, in ten minutes at most, with ids in the file
    consilience embed photos --pretext contrastive --max-time 10m --out photos.parquet
  Series of 200 times and 3 values at a time, a row each
    consilience embed series.npy --pretext forecast --channels 3 --window 50
  New samples, by the encoder that was written beside the embedding
    consilience embed new.npy --from images-embedding-encoder.safetensors --out new-embedding.npy";

pub(super) const EXPORT: &str = "\
Examples:
  All pseudo-labels as a table
    consilience export runs/digits-1
  Features and labels to train on, 50 of each label
    consilience export runs/digits-1 --out train.npz --per-class 50
  Only samples on which all models agree, equally many of each label
    consilience export runs/digits-1 --min-agree 100% --balance --out sure.parquet
  JSON Lines with names for the labels, and with features from a file
    consilience export runs/data-1 data.csv --format jsonl --name 0=cat --name 1=dog
  All samples, with the probabilities of all classes; or with a weight for each
    consilience export runs/digits-1 --soft --out soft.npz
    consilience export runs/digits-1 --weights --out weighted.csv
  A folder for each label, with links to the images
    consilience export runs/photos-1 --format folders --names names.csv --out sorted";

pub(super) const SUGGEST: &str = "\
Examples:
  Twenty samples to label, into digits-1-suggested.csv
    consilience suggest runs/digits-1
  Fifty of them, into a file of your choice
    consilience suggest runs/data-1 -n 50 --out to-label.csv";

pub(super) const META_TRAIN: &str = "\
Examples:
  Two tables with a column of labels, and an array with labels in a file of their own
    consilience meta-train a.csv b.csv c.npy=labels.npy --out meta.safetensors
  What an earlier run has found
    consilience meta-train runs/a-1 runs/b-1 --method reptile --out meta.safetensors
  A new task starts from there
    consilience train new.csv --labels-partial some.csv --init meta.safetensors";

pub(super) const META_TEST: &str = "\
Examples:
  Accuracy of ten steps from 1, 5 and 10 labels a class
    consilience meta-test meta.safetensors new.csv
  Of two classes, from 3 labels each, as JSON
    consilience meta-test meta.safetensors new.npy=labels.npy --ways 2 --shots 3 --json";

pub(super) const SIMILAR: &str = "\
Examples:
  Which of the earlier runs had data like these?
    consilience similar new.npy runs/a-1 runs/b-1 meta.safetensors
  Start from that
    consilience cluster new.npy --init auto --runs runs";

pub(super) const PREDICT: &str = "\
Examples:
  Clusters of new samples, into new-clusters.csv
    consilience predict runs/data-1 new.csv
  Only confident ones; the other samples get an empty cell
    consilience predict runs/data-1 new.csv --min-confidence 0.8 --out sure.csv
  Into the run's own tables, beside the samples that it was made of
    consilience predict runs/data-1 new.csv --append
  To standard output
    consilience predict runs/data-1 new.npy --out - --quiet
  With the models' votes, for pseudo-labels of all parts of large data
    consilience predict runs/data-1 part-7.parquet --votes --out votes-7.csv";

pub(super) const REPORT: &str = "\
Examples:
  From the data files that the run names
    consilience report runs/data-1
  From data that has been moved
    consilience report runs/data-1 archive/data.csv";

pub(super) const EVALUATE: &str = "\
Examples:
  A run against labels
    consilience evaluate labels.txt runs/data-1
  Clusters of another tool, as JSON
    consilience evaluate labels.npy clusters.npy --json";

pub(super) const INFO: &str = "\
Examples:
  consilience data info data.csv
  consilience data info archive.h5:/images --json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  mkdir -p ~/.local/share/bash-completion/completions
  consilience completions bash > ~/.local/share/bash-completion/completions/consilience
  consilience completions zsh > ~/.zfunc/_consilience
  consilience completions fish > ~/.config/fish/completions/consilience.fish";

pub(super) const MAN: &str = "\
Examples:
  consilience man | man -l -
  consilience man --out ~/.local/share/man/man1";
