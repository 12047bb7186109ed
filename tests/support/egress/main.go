// Command egress stands in for LiveKit's egress worker in tests. It speaks the worker's side of LiveKit's own
// protocol over Redis, joins rooms as the recorder does and writes small files; it renders and encodes nothing.
//
// The folder it is given stands for the worker's file system and for its object store:
//
//	FOLDER/recordings/…      what a request calls /recordings/…, there from the end of the recording on
//	FOLDER/s3/BUCKET/KEY     what a request uploads
//	FOLDER/tmp/EGRESS_ID/…   what is being recorded, and left behind when the process is killed
//	FOLDER/jobs/EGRESS_ID.json  the request, and the page that the real one would open in its Chrome
//
// SIGTERM: no new jobs, and the running ones go on to their end. SIGINT: the running ones are ended,
// with their files complete, and called failed.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	"github.com/livekit/protocol/redis"
	"github.com/livekit/psrpc"
	lksdk "github.com/livekit/server-sdk-go/v2"
	goredis "github.com/redis/go-redis/v9"
)

const startChannel = "EgressInternal|StartEgress|REQ"

// config is what the real worker reads from its YAML file.
type config struct {
	redis, control, folder       string
	wsURL, key, secret, template string
	s3Key, s3Secret              string
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	lksdk.SetLogger(logger.GetDiscardLogger())
	var conf config
	var set switches
	flag.StringVar(&conf.redis, "redis", "127.0.0.1:6379", "HOST:PORT")
	flag.StringVar(&conf.control, "control", "127.0.0.1:0", "HOST:PORT of the control listener")
	flag.StringVar(&conf.folder, "folder", ".", "where files go")
	flag.StringVar(&conf.wsURL, "ws-url", "ws://127.0.0.1:7880", "LiveKit's URL")
	flag.StringVar(&conf.key, "key", "devkey", "LiveKit's API key")
	flag.StringVar(&conf.secret, "secret", "", "LiveKit's API secret")
	flag.StringVar(&conf.template, "template-base", "http://localhost:7980/", "the default page")
	flag.StringVar(&conf.s3Key, "s3-key", "", "the only access key that the object store takes (unset: any)")
	flag.StringVar(&conf.s3Secret, "s3-secret", "", "the secret to it")
	flag.Func("set", "NAME=VALUE of a switch, may be repeated", func(said string) error {
		name, value, _ := strings.Cut(said, "=")
		return set.set(name, value)
	})
	flag.Parse()
	if err := run(conf, &set); err != nil {
		slog.Error("ended", "error", err.Error())
		os.Exit(1)
	}
}

func run(conf config, set *switches) error {
	client, err := redis.GetRedisClient(&redis.RedisConfig{Address: conf.redis})
	if err != nil {
		return err
	}
	w, err := newWorker(conf, set, psrpc.NewRedisMessageBus(client))
	if err != nil {
		return err
	}
	awaitSubscription(client)
	listener, err := net.Listen("tcp", conf.control)
	if err != nil {
		return err
	}
	slog.Info("READY", "control", listener.Addr().String())
	go func() { _ = http.Serve(listener, control(w)) }()
	untilSignalled(w)
	w.drain()
	return nil
}

func awaitSubscription(client goredis.UniversalClient) {
	for {
		heard, err := client.PubSubNumSub(context.Background(), startChannel).Result()
		if err == nil && heard[startChannel] > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func untilSignalled(w *worker) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT)
	told := <-signals
	w.close()
	slog.Info("exit requested", "signal", told.String())
	if told == syscall.SIGINT {
		w.each("", func(j *job) { j.end(livekit.EndReasonKilled) })
	}
}

// control is how tests look at a running worker and throw its switches:
// /jobs, /set?NAME=VALUE…, /do?what=fail|die|drop[&job=EGRESS_ID][&text=…].
func control(w *worker) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/jobs", func(out http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(out).Encode(w.list())
	})
	mux.HandleFunc("/set", func(out http.ResponseWriter, in *http.Request) {
		for name, values := range in.URL.Query() {
			if err := w.set.set(name, values[0]); err != nil {
				http.Error(out, err.Error(), http.StatusBadRequest)
				return
			}
		}
	})
	mux.HandleFunc("/do", func(out http.ResponseWriter, in *http.Request) {
		query := in.URL.Query()
		what := order{query.Get("what"), query.Get("text")}
		if _, known := orders[what.name]; !known {
			http.Error(out, "what is fail, die or drop", http.StatusBadRequest)
			return
		}
		w.each(query.Get("job"), func(j *job) {
			select {
			case j.orders <- what:
			default: // it has been ordered enough
			}
		})
	})
	return mux
}
