package csync

import (
	"gocyrus/lib/guid"
	"gocyrus/lib/mboxname"
)

// Reserve is the argument of RESERVE: which messages to look for, and where.
type Reserve struct {
	Partition string
	Mailboxes []string
	GUIDs     []guid.GUID
}

// Rename is the argument of RENAME. With Old and New alike it is a move to
// another partition.
type Rename struct {
	Old, New       mboxname.Name
	Partition      string // empty is NIL
	UIDValidity    uint32
	HasUIDValidity bool
}

// Expunge is the argument of EXPUNGE.
type Expunge struct {
	Name     mboxname.Name
	UniqueID string
	UIDs     []uint32
}

// Fetch is the argument of FETCH.
type Fetch struct {
	Name      mboxname.Name
	Partition string // empty is NIL
	UniqueID  string
	GUID      guid.GUID
	UID       uint32
}

// Sub is the argument of SUB and UNSUB.
type Sub struct {
	UserID string
	Name   mboxname.Name
}

// MailboxAnnotation is the argument of ANNOTATION and UNANNOTATION, and what GET
// ANNOTATION answers. An empty name is the server.
type MailboxAnnotation struct {
	Name     mboxname.Name
	Entry    string
	UserID   string // empty is shared
	Value    []byte
	HasValue bool // not for UNANNOTATION
}

var reserveObject = object[Reserve]{
	{key: "PARTITION", at: func(r *Reserve) any { return &r.Partition }, must: true},
	{key: "MBOXNAME", at: func(r *Reserve) any { return &r.Mailboxes }, must: true},
	{key: "GUID", at: func(r *Reserve) any { return (*guids)(&r.GUIDs) }, must: true},
}

var renameObject = object[Rename]{
	{key: "OLDMBOXNAME", at: func(r *Rename) any { return &r.Old }, must: true},
	{key: "NEWMBOXNAME", at: func(r *Rename) any { return &r.New }, must: true},
	{key: "PARTITION", at: func(r *Rename) any { return (*nilText)(&r.Partition) }, must: true},
	{key: "UIDVALIDITY", at: func(r *Rename) any { return &r.UIDValidity }, show: func(r *Rename) bool { return r.HasUIDValidity }},
}

var expungeObject = object[Expunge]{
	{key: "MBOXNAME", at: func(e *Expunge) any { return &e.Name }, must: true},
	{key: "UNIQUEID", at: func(e *Expunge) any { return &e.UniqueID }, must: true},
	{key: "UID", at: func(e *Expunge) any { return (*uids)(&e.UIDs) }, must: true},
}

var fetchObject = object[Fetch]{
	{key: "MBOXNAME", at: func(f *Fetch) any { return &f.Name }, must: true},
	{key: "PARTITION", at: func(f *Fetch) any { return (*nilText)(&f.Partition) }, must: true},
	{key: "UNIQUEID", at: func(f *Fetch) any { return &f.UniqueID }, must: true},
	{key: "GUID", at: func(f *Fetch) any { return &f.GUID }, must: true},
	{key: "UID", at: func(f *Fetch) any { return &f.UID }, must: true},
}

var subObject = object[Sub]{
	{key: "USERID", at: func(s *Sub) any { return &s.UserID }, must: true},
	{key: "MBOXNAME", at: func(s *Sub) any { return &s.Name }, must: true},
}

var annotationObject = object[MailboxAnnotation]{
	{key: "MBOXNAME", at: func(a *MailboxAnnotation) any { return &a.Name }, must: true},
	{key: "ENTRY", at: func(a *MailboxAnnotation) any { return &a.Entry }, must: true},
	{key: "USERID", at: func(a *MailboxAnnotation) any { return &a.UserID }, must: true},
	{key: "VALUE", at: func(a *MailboxAnnotation) any { return &a.Value }, show: func(a *MailboxAnnotation) bool { return a.HasValue }},
}

func (r *Reserve) Append(dst []byte, form Form) []byte { return reserveObject.append(dst, r, form) }
func (r *Rename) Append(dst []byte, form Form) []byte  { return renameObject.append(dst, r, form) }
func (e *Expunge) Append(dst []byte, form Form) []byte { return expungeObject.append(dst, e, form) }
func (f *Fetch) Append(dst []byte, form Form) []byte   { return fetchObject.append(dst, f, form) }
func (s *Sub) Append(dst []byte, form Form) []byte     { return subObject.append(dst, s, form) }
func (a *MailboxAnnotation) Append(dst []byte, form Form) []byte {
	return annotationObject.append(dst, a, form)
}

// ParseReserve reads the argument of RESERVE.
func ParseReserve(value []byte) (*Reserve, error) { return parse(reserveObject, value) }

// ParseExpunge reads the argument of EXPUNGE.
func ParseExpunge(value []byte) (*Expunge, error) { return parse(expungeObject, value) }

// ParseFetch reads the argument of FETCH.
func ParseFetch(value []byte) (*Fetch, error) { return parse(fetchObject, value) }

// ParseSub reads the argument of SUB and UNSUB.
func ParseSub(value []byte) (*Sub, error) { return parse(subObject, value) }

// ParseRename reads the argument of RENAME.
func ParseRename(value []byte) (*Rename, error) {
	r := new(Rename)
	seen, err := renameObject.parse(value, r)
	r.HasUIDValidity = seen&renameObject.bit("UIDVALIDITY") != 0
	return r, err
}

// ParseMailboxAnnotation reads the argument of ANNOTATION and UNANNOTATION.
func ParseMailboxAnnotation(value []byte) (*MailboxAnnotation, error) {
	a := new(MailboxAnnotation)
	seen, err := annotationObject.parse(value, a)
	a.HasValue = seen&annotationObject.bit("VALUE") != 0
	return a, err
}

func parse[T any](o object[T], value []byte) (*T, error) {
	v := new(T)
	_, err := o.parse(value, v)
	return v, err
}
