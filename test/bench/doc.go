// Command bench runs gocyrus side by side with real Cyrus 3.6.1 and Dovecot
// and prints, for each thing that a mail server does all day, the median time
// of the three and the ratios.
//
// The peers are Debian's packages: Cyrus as installed, Dovecot unpacked into a
// directory because apt refuses to install it beside Cyrus. Each server has a
// directory of its own on the same disk, an equivalent configuration, the same
// corpus, and durability settings at their defaults. A row runs on one server after the other,
// round by round, so that a busy machine disturbs all three alike.
// Every answer is checked against the corpus (counts, octets, checksums): a
// fast wrong answer fails the run.
//
// The clients are plain sockets and a line reader, so that what is measured is
// the server.
//
// Starting Cyrus and Dovecot takes root: both change user. docs/benchmarks.md
// has the table of the last full run.
package main
