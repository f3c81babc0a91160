package mboxname

// Virtual says how userids carry domains (option virtdomains).
type Virtual int

const (
	VirtualOff    Virtual = iota
	VirtualUserID         // a domain is part of the userid
	VirtualOn             // the domain may also come from the server's address
)

// Namespace is how a site spells external names.
type Namespace struct {
	Alt           bool   // altnamespace: personal folders beside INBOX, not below
	UnixSep       bool   // unixhierarchysep: "/" separates and dots are ordinary
	UserPrefix    string // "Other Users"
	SharedPrefix  string // "Shared Folders"
	AltPrefix     string // "Alt Folders": where names go that Alt would hide
	Virtual       Virtual
	DefaultDomain string
	CrossDomains  bool // other domains' users are seen as Other Users/name@domain
	OnlyOther     bool // crossdomains_onlyother: one's own domain is left out there
	HideUsers     bool // disable_user_namespace
	HideShared    bool // disable_shared_namespace
}

// Sep is the hierarchy separator.
func (ns *Namespace) Sep() byte {
	if ns.UnixSep {
		return '/'
	}
	return '.'
}
