#include "client/http_top_addressing.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "base/free_by.h"
#include "base/mutex.h"

namespace mqclient::client {
namespace {

constexpr std::size_t kAnswerMax = 65'536;
constexpr std::size_t kHeaderMax = 65'536;
constexpr long kStatusOk = 200;
/// How long one wait for sockets may last; curl's own timers and wake-ups end it earlier.
constexpr int kPollMillis = 1000;

using Easy = std::unique_ptr<CURL, base::FreeBy<curl_easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, base::FreeBy<curl_multi_cleanup>>;
using StringList = std::unique_ptr<curl_slist, base::FreeBy<curl_slist_free_all>>;

/// Once a process and never undone: other users of libcurl in this process may outlive us.
CURLcode initialised() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  return code;
}

/// What a transfer gathers.
struct Received {
  std::string body;
  std::size_t header = 0;
  bool too_long = false;
  std::array<char, CURL_ERROR_SIZE> error{};
};

std::size_t onBody(char* bytes, std::size_t /*one*/, std::size_t size, void* to) noexcept {
  Received& received = *static_cast<Received*>(to);
  received.too_long = size > kAnswerMax - received.body.size();
  if (received.too_long) return 0;
  received.body.append(bytes, size);
  return size;
}

std::size_t onHeader(char* /*bytes*/, std::size_t /*one*/, std::size_t size, void* to) noexcept {
  Received& received = *static_cast<Received*>(to);
  received.too_long = size > kHeaderMax - received.header;
  if (received.too_long) return 0;
  received.header += size;
  return size;
}

/// As curl's own, and closed on exec.
curl_socket_t onOpen(void* /*with*/, curlsocktype /*purpose*/, curl_sockaddr* address) noexcept {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/// What is wrong, behind "the address server NAME ".
Error why(const std::string& text) {
  return Error(ErrorCode::kNoNameServer, text);
}

Error closedError() {
  return Error(ErrorCode::kClosed, "was not heard: the client was closed");
}

class HttpTopAddressing final : public TopAddressing {
 public:
  HttpTopAddressing(base::Ref<base::Engine> engine, std::string url, remoting::HostPort where)
      : engine_(std::move(engine)), url_(std::move(url)), where_(std::move(where)) {}

  const std::string& name() const noexcept override { return url_; }

  void fetchNSAddr(base::SteadyTime deadline, base::Completion<std::string> done) override {
    struct Question final : base::Object {
      base::Completion<std::string> done;
    };
    const auto question = base::makeRef<Question>();
    question->done = std::move(done);
    const bool queued =
        engine_->runOnLane(base::LaneKind::kNet, [me = base::Ref<HttpTopAddressing>(this), question = question,
                                                  deadline] { std::move(question->done)(me->get(deadline)); });
    if (!queued) std::move(question->done)(why("was not asked: too many calls that block are waiting"));
  }

  void close() noexcept override {
    base::MutexLock lock(mutex_);
    closed_ = true;
    if (under_way_) curl_multi_wakeup(under_way_);
  }

 private:
  /// On a lane's thread.
  Result<std::string> get(base::SteadyTime deadline) {
    if (closed()) return closedError();
    Result<std::vector<remoting::SocketAddress>> addresses = remoting::addressesOf(where_, remoting::Names::kResolve);
    if (!addresses) return why("is not found: " + addresses.error().message());
    const auto left = std::chrono::duration_cast<base::Millis>(deadline - engine_->now());
    if (left.count() <= 0) return why("was not asked: looking up its name took all the time");
    // A numeric host is its own address, and one of IPv6 has no place in such an entry.
    const bool numeric = remoting::addressesOf(where_, remoting::Names::kNumericOnly).has_value();
    const StringList resolved(numeric ? nullptr : curl_slist_append(nullptr, resolveEntry(*addresses).c_str()));
    const Easy easy(curl_easy_init());
    const Multi multi(curl_multi_init());
    if ((!resolved && !numeric) || !easy || !multi) return why("was not asked: libcurl has no memory");
    Received received;
    if (const CURLcode set = prepare(easy.get(), resolved.get(), left, received); set != CURLE_OK) {
      return why(std::string("was not asked: libcurl refuses an option: ") + curl_easy_strerror(set));
    }
    const Result<CURLcode> code = transfer(easy.get(), multi.get());
    if (!code) return code.error();
    return judge(easy.get(), *code, received);
  }

  /// "host:port:address,address": CURLOPT_RESOLVE. curl's own resolver would start a thread.
  std::string resolveEntry(const std::vector<remoting::SocketAddress>& addresses) const {
    std::string entry;
    for (const remoting::SocketAddress& address : addresses) {
      const std::string text = address.text();
      entry += (entry.empty() ? "" : ",") + text.substr(0, text.rfind(':'));
    }
    return where_.host + ":" + where_.port + ":" + entry;
  }

  CURLcode prepare(CURL* easy, curl_slist* resolved, base::Millis left, Received& received) const {
    const long millis = static_cast<long>(left.count());
    CURLcode failed = CURLE_OK;
    const auto set = [&](CURLoption option, auto value) {
      const CURLcode code = curl_easy_setopt(easy, option, value);
      if (code != CURLE_OK) failed = code;
    };
    set(CURLOPT_URL, url_.c_str());
    set(CURLOPT_RESOLVE, resolved);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_USERAGENT, "mqclient");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");  // none, whatever http_proxy says
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, millis);
    set(CURLOPT_TIMEOUT_MS, millis);
    set(CURLOPT_OPENSOCKETFUNCTION, &onOpen);
    set(CURLOPT_WRITEFUNCTION, &onBody);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&received));
    set(CURLOPT_HEADERFUNCTION, &onHeader);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&received));
    set(CURLOPT_ERRORBUFFER, received.error.data());
    return failed;
  }

  /// The multi interface for one transfer: only this one can be woken up, and closing must not wait for a server.
  Result<CURLcode> transfer(CURL* easy, CURLM* multi) {
    CURLMcode state = curl_multi_add_handle(multi, easy);
    {
      base::MutexLock lock(mutex_);
      under_way_ = multi;
    }
    int running = 1;
    while (state == CURLM_OK && running > 0 && !closed()) {
      state = curl_multi_perform(multi, &running);
      if (state == CURLM_OK && running > 0) state = curl_multi_poll(multi, nullptr, 0, kPollMillis, nullptr);
    }
    {
      base::MutexLock lock(mutex_);
      under_way_ = nullptr;
    }
    int more = 0;
    const CURLMsg* const ended = state == CURLM_OK ? curl_multi_info_read(multi, &more) : nullptr;
    const CURLcode code = ended ? ended->data.result : CURLE_ABORTED_BY_CALLBACK;
    curl_multi_remove_handle(multi, easy);
    if (state != CURLM_OK) return why(std::string("was not asked: ") + curl_multi_strerror(state));
    return code;
  }

  static Result<std::string> judge(CURL* easy, CURLcode code, Received& received) {
    if (received.too_long) {
      return why("answers with more than " + std::to_string(kAnswerMax) + " bytes, which is no list of addresses");
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) return closedError();
    if (code == CURLE_UNSUPPORTED_PROTOCOL) return why("answers with what is not HTTP");
    if (code != CURLE_OK) {
      const std::string_view detail(received.error.data());
      long system = 0;
      if (code == CURLE_COULDNT_CONNECT) curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &system);
      return why("cannot be asked: " + (detail.empty() ? curl_easy_strerror(code) : excerptOf(detail)) +
                 (system == 0 ? "" : " (" + remoting::systemText(static_cast<int>(system)) + ")"));
    }
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == kStatusOk) return std::move(received.body);
    const char* elsewhere = nullptr;
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &elsewhere);
    return why("answers with status " + std::to_string(status) +
               (elsewhere ? ", a redirect, which is not followed, to " + excerptOf(elsewhere) : ""));
  }

  bool closed() const {
    base::MutexLock lock(mutex_);
    return closed_;
  }

  const base::Ref<base::Engine> engine_;
  const std::string url_;
  const remoting::HostPort where_;
  mutable base::Mutex mutex_;
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
  CURLM* under_way_ MQ_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace

Result<base::Ref<TopAddressing>> makeHttpTopAddressing(base::Ref<base::Engine> engine, std::string url,
                                                       remoting::HostPort where) {
  if (const CURLcode code = initialised(); code != CURLE_OK) {
    return Error(ErrorCode::kInternal, std::string("libcurl cannot be initialised: ") + curl_easy_strerror(code));
  }
  return base::Ref<TopAddressing>(
      base::makeRef<HttpTopAddressing>(std::move(engine), std::move(url), std::move(where)));
}

}  // namespace mqclient::client
