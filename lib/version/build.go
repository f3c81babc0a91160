package version

// A Fact is one thing that is true or not of this build, under the name that
// Cyrus's build information has for it.
type Fact struct {
	Name string
	Is   bool
}

// Components are the parts of Cyrus that this server has. Binary is the
// program whose presence decides, where there is one.
var Components = []struct {
	Fact
	Binary string
}{
	{Fact{"event_notification", true}, ""},
	{Fact{"gssapi", false}, ""},
	{Fact{"autocreate", true}, ""},
	{Fact{"idled", true}, "idled"},
	{Fact{"httpd", false}, "httpd"},
	{Fact{"murder", true}, "mupdate"},
	{Fact{"nntpd", false}, "nntpd"},
	{Fact{"replication", true}, "sync_server"},
	{Fact{"sieve", false}, "timsieved"},
	{Fact{"calalarmd", false}, "calalarmd"},
	{Fact{"jmap", false}, "httpd"},
	{Fact{"backup", false}, "backupd"},
	{Fact{"slowio", false}, ""},
}

// Dependencies are the C libraries Cyrus may be built with. There is none in
// this build: what they do for Cyrus is Go's standard library's work or that of
// Modules.
var Dependencies = []string{
	"openssl", "openssl_alpn", "ldap", "zlib", "jansson", "pcre", "pcre2", "clamav", "nghttp2", "wslay",
	"brotli", "xml2", "ical", "icu4c", "shapelib", "chardet", "cld2", "guesstz",
}

// Databases are the database formats.
var Databases = []Fact{
	{"flat", true},
	{"leveldb", true},
	{"quotalegacy", true},
	{"skiplist", true},
	{"twoskip", true},
	{"twom", false},
	{"sql", false},
}

// SearchEngines are the engines behind SEARCH.
var SearchEngines = []Fact{
	{"squat", true},
	{"xapian", false},
}
