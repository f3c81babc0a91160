// Package murder tests servers that form a Murder: ours in each seat, beside ours
// and beside those of Cyrus 3.6.1 that Debian packages (cyrus-murder), which need
// root. Without them those tests are skipped.
//
// TestMatrix takes the same steps (steps_test.go, oddsteps_test.go) in every mixture
// of our master or Cyrus's, our frontend or Cyrus's, our backends, Cyrus's, or one of
// each, and compares all answers with those that Cyrus's servers give alone. What may
// differ is the table of differences_test.go, of which docs/murder-differences.md is
// made; an entry that no mixture shows any more fails the test, too.
package murder
