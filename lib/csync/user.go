package csync

import "gocyrus/lib/guid"

// Seen is what a user has read of a mailbox of another owner. Times are seconds
// since 1970, UIDs a set in the form of seen files. In the answer of GET META
// there is no UserID.
type Seen struct {
	UserID     string
	UniqueID   string
	LastRead   uint32
	LastUID    uint32
	LastChange uint32
	UIDs       string
}

// Script is one line of the list of Sieve scripts in the answer of GET META:
// NAME.script for each, and NAME.bc for the active one, with neither time nor
// GUID.
type Script struct {
	FileName   string
	LastUpdate int64
	GUID       guid.GUID // of the script
	Active     bool
}

// Sieve is the argument of SIEVE, UNSIEVE, ACTIVATE_SIEVE, UNACTIVATE_SIEVE and
// GET FETCH_SIEVE, and the answer of the last; each has some of the fields.
type Sieve struct {
	UserID     string
	FileName   string // empty where there is none
	HasUpdate  bool
	LastUpdate int64
	HasContent bool
	Content    []byte
}

var seenObject = object[Seen]{
	{key: "USERID", at: func(s *Seen) any { return &s.UserID }, show: func(s *Seen) bool { return s.UserID != "" }},
	{key: "UNIQUEID", at: func(s *Seen) any { return &s.UniqueID }, must: true},
	{key: "LASTREAD", at: func(s *Seen) any { return &s.LastRead }, must: true},
	{key: "LASTUID", at: func(s *Seen) any { return &s.LastUID }, must: true},
	{key: "LASTCHANGE", at: func(s *Seen) any { return &s.LastChange }, must: true},
	{key: "SEENUIDS", at: func(s *Seen) any { return &s.UIDs }, must: true},
}

var scriptObject = object[Script]{
	{key: "FILENAME", at: func(s *Script) any { return &s.FileName }, must: true},
	{key: "LAST_UPDATE", at: func(s *Script) any { return &s.LastUpdate }, must: true},
	{key: "GUID", at: func(s *Script) any { return &s.GUID }},
	{key: "ISACTIVE", at: func(s *Script) any { return &s.Active }},
}

var sieveObject = object[Sieve]{
	{key: "USERID", at: func(s *Sieve) any { return &s.UserID }, must: true},
	{key: "FILENAME", at: func(s *Sieve) any { return &s.FileName }, show: func(s *Sieve) bool { return s.FileName != "" }},
	{key: "LAST_UPDATE", at: func(s *Sieve) any { return &s.LastUpdate }, show: func(s *Sieve) bool { return s.HasUpdate }},
	{key: "CONTENT", at: func(s *Sieve) any { return &s.Content }, show: func(s *Sieve) bool { return s.HasContent }},
}

func (s *Seen) Append(dst []byte, form Form) []byte   { return seenObject.append(dst, s, form) }
func (s *Script) Append(dst []byte, form Form) []byte { return scriptObject.append(dst, s, form) }
func (s *Sieve) Append(dst []byte, form Form) []byte  { return sieveObject.append(dst, s, form) }

// ParseSeen reads a SEEN object.
func ParseSeen(value []byte) (*Seen, error) { return parse(seenObject, value) }

// ParseScript reads a SIEVE object of GET META.
func ParseScript(value []byte) (*Script, error) { return parse(scriptObject, value) }

// ParseSieve reads the other SIEVE objects.
func ParseSieve(value []byte) (*Sieve, error) {
	s := new(Sieve)
	seen, err := sieveObject.parse(value, s)
	s.HasUpdate = seen&sieveObject.bit("LAST_UPDATE") != 0
	s.HasContent = seen&sieveObject.bit("CONTENT") != 0
	return s, err
}
