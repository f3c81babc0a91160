package config

// masterOptions concern the master process.
var masterOptions = []Option{
	{Name: "master_bind_errors_fatal", Type: Switch, Default: "no", Since: "3.2.0", Changed: "3.3.0",
		Help: "a listen failure at startup stops master"},
	{Name: "master_pid_file", Type: String, Default: "{configdirectory}/master.pid", Since: "3.10.0", Changed: "3.10.0",
		Help: "pid file of master"},
	{Name: "master_ready_file", Type: String, Default: "{configdirectory}/master.ready", Since: "3.10.0", Changed: "3.10.0",
		Help: "file touched when master is ready"},
	{Name: "prometheus_enabled", Type: Switch, Default: "no", Since: "3.2.0", Changed: "3.1.2",
		Help: "collect service metrics"},
	{Name: "prometheus_need_auth", Type: StringList, Default: "admin", Since: "3.2.0", Changed: "3.1.2",
		Allowed: words("none user admin"),
		Help:    "who may read metrics over HTTP"},
	{Name: "prometheus_stats_dir", Type: String, Null: true, Since: "3.2.0", Changed: "3.1.2",
		Help: "directory of metric files; unset means configdirectory/stats"},
	{Name: "prometheus_update_freq", Type: Duration, Unit: 's', Default: "10s", Since: "3.2.0", Changed: "3.1.8",
		Help: "seconds between metric reports"},
}
