package syncstate

import (
	"strings"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxlist"
)

// optionLetters are the options of a mailbox that replication carries, in the
// order in which Cyrus writes them.
var optionLetters = []struct {
	bit    indexfile.Options
	letter byte
}{
	{indexfile.OptPOP3NewUIDL, 'P'},
	{indexfile.OptSharedSeen, 'S'},
	{indexfile.OptDupDeliver, 'D'},
	{indexfile.OptAlarms, 'A'},
}

// OptionLetters spells the options of a mailbox as OPTIONS has them.
func OptionLetters(o indexfile.Options) string {
	var b strings.Builder
	for _, l := range optionLetters {
		if o&l.bit != 0 {
			b.WriteByte(l.letter)
		}
	}
	return b.String()
}

// SetOptions puts the options that letters spell in the place of those that
// replication carries; others stay. Letters that nobody knows are passed over.
func SetOptions(o indexfile.Options, letters string) indexfile.Options {
	for _, l := range optionLetters {
		o &^= l.bit
		if strings.IndexByte(letters, l.letter) >= 0 {
			o |= l.bit
		}
	}
	return o
}

// WireType is the type of a mailbox as MBOXTYPE has it: empty for plain mail, and
// without the letters for a legacy directory and for one that is arriving, which are a
// matter of each server.
func WireType(typ string) string {
	typ = mboxlist.Without(mboxlist.Without(typ, mboxlist.FlagLegacy), mboxlist.FlagRemote)
	if typ == "e" {
		return ""
	}
	return typ
}
