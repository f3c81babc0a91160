// Package murder tests servers that form a Murder: ours in each seat, beside ours
// and beside those of Cyrus 3.6.1 that Debian packages (cyrus-murder), which need
// root. Without them those tests are skipped.
package murder
