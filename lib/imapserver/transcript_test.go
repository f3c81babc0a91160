package imapserver

import (
	"testing"

	"gocyrus/lib/transcript"
)

func TestTranscripts(t *testing.T) { transcript.Dir(t, "testdata", "*.imap", start("")) }

func TestTranscriptsStandard(t *testing.T) {
	transcript.Dir(t, "testdata/standard", "*.imap", start("altnamespace: no\nunixhierarchysep: no\n"))
}
