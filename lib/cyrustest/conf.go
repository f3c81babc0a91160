package cyrustest

import (
	"fmt"
	"slices"
	"strings"
)

// imapdLines are imapd.conf as both kinds of server read it.
var imapdLines = []string{
	"configdirectory: $dir/conf",
	"partition-default: $dir/spool",
	"defaultpartition: default",
	"admins: cyrus",
	"servername: mail.example.com",
	"allowplaintext: yes",
	"unixhierarchysep: yes",
	"lmtpsocket: $dir/conf/socket/lmtp",
	"idlesocket: $dir/conf/socket/idle",
	"notifysocket: $dir/conf/socket/notify",
	"tls_server_cert: $dir/cert.pem",
	"tls_server_key: $dir/key.pem",
	"syslog_facility: LOCAL6",
}

// ourLines are for ours: passwords in our own database.
var ourLines = []string{
	"sasl_pwcheck_method: auxprop",
	"sasl_mech_list: PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5",
	"allowstarttls: yes",
}

// realLines are for the real Cyrus: libsasl's database takes a library that
// need not be there, so any password will do.
var realLines = []string{
	"sasl_pwcheck_method: alwaystrue",
	"sendmail: /bin/true",
	"sasl_mech_list: PLAIN LOGIN",
}

func (s *Server) imapdConf() string {
	if s.o.ImapdConf != "" {
		conf := s.expand(s.o.ImapdConf)
		if !s.real && !strings.Contains(conf, "cyrus_user:") {
			conf += "cyrus_user: " + s.owner.name + "\n"
		}
		return conf
	}
	lines := slices.Clone(imapdLines)
	if s.real {
		lines = append(lines, realLines...)
	} else {
		lines = append(lines, ourLines...)
		lines = append(lines, "cyrus_user: "+s.owner.name)
	}
	for _, line := range s.o.Imapd {
		lines = set(lines, line)
	}
	return s.expand(strings.Join(lines, "\n") + "\n")
}

// set puts a line in place of the one for the same option, or at the end.
func set(lines []string, line string) []string {
	option, _, _ := strings.Cut(line, ":")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, option+":") })
	if i < 0 {
		return append(lines, line)
	}
	lines[i] = line
	return lines
}

// services are the entries of SERVICES: name, command and where it listens.
var services = [][3]string{
	{"imap", "imapd", "$imap"},
	{"imaps", "imapd -s", "$imaps"},
	{"pop3", "pop3d", "$pop3"},
	{"pop3s", "pop3d -s", "$pop3s"},
	{"lmtp", "lmtpd -a", "$lmtp"},
	{"lmtpunix", "lmtpd", "$dir/conf/socket/lmtp"},
}

func (s *Server) cyrusConf() string {
	if s.o.CyrusConf != "" {
		return s.expand(s.o.CyrusConf)
	}
	sections := map[string][]string{
		"START":  {`recover cmd="$bin/ctl_cyrusdb -C $conf -r"`},
		"DAEMON": {`idled cmd="$bin/idled -C $conf"`},
		"EVENTS": {`checkpoint cmd="$bin/ctl_cyrusdb -C $conf -c" period=30`},
	}
	for _, e := range services {
		args := s.o.Args[e[0]]
		if args == "-" {
			continue
		}
		program, flags, _ := strings.Cut(e[1], " ")
		line := fmt.Sprintf(`%s cmd="$bin/%s -C $conf %s" listen="%s" %s`, e[0], program, flags, e[2], args)
		sections["SERVICES"] = append(sections["SERVICES"], line)
	}
	var b strings.Builder
	for _, name := range []string{"START", "SERVICES", "EVENTS", "DAEMON"} {
		fmt.Fprintf(&b, "%s {\n", name)
		for _, line := range append(sections[name], s.o.Entries[name]...) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
		b.WriteString("}\n")
	}
	return s.expand(b.String())
}
