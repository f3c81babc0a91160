package imapserver

import (
	"path/filepath"
	"testing"

	"gocyrus/lib/transcript"
)

func TestTranscripts(t *testing.T) { transcript.Dir(t, "testdata", "*.imap", start("")) }

func TestTranscriptsStandard(t *testing.T) {
	transcript.Dir(t, "testdata/standard", "*.imap", start("altnamespace: no\nunixhierarchysep: no\n"))
}

// TestTranscriptsDomains has users of several domains.
func TestTranscriptsDomains(t *testing.T) {
	transcript.Dir(t, "testdata/domains", "*.imap", start("virtdomains: userid\ndefaultdomain: internal\n"))
}

// TestTranscriptsAnnotations has a site with annotations of its own.
func TestTranscriptsAnnotations(t *testing.T) {
	file, err := filepath.Abs("testdata/annotations/definitions")
	if err != nil {
		t.Fatal(err)
	}
	transcript.Dir(t, "testdata/annotations", "*.imap", start("annotation_allow_undefined: yes\n"+
		"annotation_enable_legacy_commands: yes\nannotation_definitions: "+file+"\n"))
}
