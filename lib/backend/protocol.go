package backend

// Protocol is how one protocol says what all have: greeting, capabilities,
// STARTTLS, AUTH, COMPRESS and the end.
type Protocol struct {
	Name    string // for ports and command lines: "imap"
	TLSName string // port for TLS from the first octet; empty where there is none
	Port    string // in case the system does not know Name
	TLSPort string
	Service string // SASL's name

	greeting   string // prefix of its last line; empty: one line, whatever it says
	bannerCaps bool   // the greeting holds capabilities
	capa       string // command that asks for them
	capaEnd    string // prefix of the answer's last line
	startTLS   command
	autoCaps   bool // capabilities come by themselves after STARTTLS
	auth       authForm
	compress   command
	logout     command
}

// command is a command with the prefixes of its good and bad answers.
type command struct{ line, ok, no string }

// authForm is how a protocol carries SASL.
type authForm struct {
	cmd       string // "A01 AUTHENTICATE"
	ok, no    string
	cont      string // prefix of a challenge; empty: challenges are strings
	maxLine   int    // longest command with an initial response, 0 for none
	quoted    bool   // mechanism and responses are quoted strings or literals
	bare      bool   // but what follows the command is base64 alone, a line each way
	whenCaps  string // capability that allows an initial response
	successIn bool   // the good answer may hold the server's last challenge
}

// The protocols of Cyrus. The tags are those of its own clients.
var (
	IMAP = &Protocol{Name: "imap", TLSName: "imaps", Port: "143", TLSPort: "993", Service: "imap",
		bannerCaps: true, capa: "C01 CAPABILITY", capaEnd: "C01 ",
		startTLS: command{"S01 STARTTLS", "S01 OK", "S01 NO"},
		auth:     authForm{cmd: "A01 AUTHENTICATE", ok: "A01 OK", no: "A01 ", cont: "+ ", maxLine: 8192, whenCaps: "SASL-IR"},
		compress: command{"Z01 COMPRESS DEFLATE", "Z01 OK", "Z01 NO"},
		logout:   command{"Q01 LOGOUT", "Q01 ", ""}}
	POP3 = &Protocol{Name: "pop3", TLSName: "pop3s", Port: "110", TLSPort: "995", Service: "pop",
		greeting: "+OK", capa: "CAPA", capaEnd: ".",
		startTLS: command{"STLS", "+OK", "-ERR"},
		auth:     authForm{cmd: "AUTH", ok: "+OK", no: "-ERR", cont: "+ ", maxLine: 255},
		logout:   command{"QUIT", "+OK", ""}}
	LMTP = &Protocol{Name: "lmtp", Port: "2003", Service: "lmtp",
		greeting: "220 ", capa: "LHLO lmtptest", capaEnd: "250 ",
		startTLS: command{"STARTTLS", "220", "454"},
		auth:     authForm{cmd: "AUTH", ok: "235", no: "5", cont: "334 ", maxLine: 512},
		logout:   command{"QUIT", "221", ""}}
	SMTP = &Protocol{Name: "smtp", TLSName: "smtps", Port: "25", TLSPort: "465", Service: "smtp",
		greeting: "220 ", capa: "EHLO smtptest", capaEnd: "250 ",
		startTLS: command{"STARTTLS", "220", "454"},
		auth:     authForm{cmd: "AUTH", ok: "235", no: "5", cont: "334 ", maxLine: 512},
		logout:   command{"QUIT", "221", ""}}
	Sieve = &Protocol{Name: "sieve", Port: "4190", Service: "sieve",
		bannerCaps: true, greeting: "OK", capa: "CAPABILITY", capaEnd: "OK",
		startTLS: command{"STARTTLS", "OK", "NO"}, autoCaps: true,
		auth:   authForm{cmd: "AUTHENTICATE", ok: "OK", no: "NO", maxLine: 65535, quoted: true, successIn: true},
		logout: command{"LOGOUT", "OK", ""}}
	MUPDATE = &Protocol{Name: "mupdate", Port: "3905", Service: "mupdate",
		bannerCaps: true, greeting: "* OK", capaEnd: "* OK",
		startTLS: command{"S01 STARTTLS", "S01 OK", "S01 NO"}, autoCaps: true,
		auth:     authForm{cmd: "A01 AUTHENTICATE", ok: "A01 OK", no: "A01 NO", maxLine: 65535, quoted: true, bare: true},
		compress: command{`Z01 COMPRESS "DEFLATE"`, "Z01 OK", "Z01 NO"},
		logout:   command{"Q01 LOGOUT", "Q01 ", ""}}
	Csync = &Protocol{Name: "csync", Port: "2005", Service: "csync",
		bannerCaps: true, greeting: "* OK", capaEnd: "* OK",
		startTLS: command{"STARTTLS", "OK", "NO"}, autoCaps: true,
		auth:     authForm{cmd: "AUTHENTICATE", ok: "OK", no: "NO", cont: "+ ", maxLine: 65535},
		compress: command{"COMPRESS DEFLATE", "OK", "NO"},
		logout:   command{"EXIT", "OK", ""}}
)

// Protocols returns all of them.
func Protocols() []*Protocol { return []*Protocol{IMAP, POP3, LMTP, SMTP, Sieve, MUPDATE, Csync} }

// Lookup returns the protocol of a name, or nil.
func Lookup(name string) *Protocol {
	for _, p := range Protocols() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Compresses says whether the protocol has a command for compression.
func (p *Protocol) Compresses() bool { return p.compress.line != "" }
