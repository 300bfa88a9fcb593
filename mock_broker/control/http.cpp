#include "mock_broker/control/http.h"

#include <algorithm>
#include <array>
#include <utility>

#include "protocol/json.h"

namespace mqclient::control {

namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

struct Reason {
  int status;
  std::string_view text;
};
constexpr std::array kReasons{
    Reason{200, "OK"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{409, "Conflict"},
    Reason{411, "Length Required"},
    Reason{413, "Content Too Large"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{500, "Internal Server Error"},
    Reason{504, "Gateway Timeout"},
    Reason{505, "HTTP Version Not Supported"},
};

std::string_view reasonOf(int status) {
  const auto found = std::ranges::find(kReasons, status, &Reason::status);
  return found == kReasons.end() ? "Error" : found->text;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equalsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

HttpAnswer refusal(int status, std::string_view why) {
  HttpAnswer answer{status, {}};
  protocol::JsonWriter json(answer.body);
  json.beginObject();
  json.key("error");
  json.value(why);
  json.endObject();
  return answer;
}

std::string encoded(const HttpAnswer& answer) {
  std::string bytes = "HTTP/1.1 " + std::to_string(answer.status) + ' ' + std::string(reasonOf(answer.status)) +
                      "\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nConnection: close\r\n";
  if (answer.status == 401) bytes += "WWW-Authenticate: Bearer\r\n";
  if (answer.status == 405) bytes += "Allow: POST\r\n";
  bytes += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n";
  return bytes + answer.body;
}

HttpReader::State HttpReader::refuse(int status, std::string_view why) {
  refused_ = refusal(status, why);
  return state_ = State::kRefused;
}

bool HttpReader::takeContinue() noexcept {
  return std::exchange(wants_word_, false) && state_ == State::kMore;
}

HttpReader::State HttpReader::take(std::string_view bytes) {
  if (state_ != State::kMore) return state_;
  bytes_ += bytes;
  if (head_done_) return takeBody();
  const std::size_t end = bytes_.find(kHeadEnd);
  if (end == std::string::npos ? bytes_.size() > kHeadBytesMax : end > kHeadBytesMax) {
    return refuse(431, "the head of the request is over " + std::to_string(kHeadBytesMax) + " bytes");
  }
  if (end == std::string::npos) return State::kMore;
  const std::string head = bytes_.substr(0, end);
  bytes_.erase(0, end + kHeadEnd.size());
  if (takeHead(head) == State::kRefused) return state_;
  head_done_ = true;
  return takeBody();
}

HttpReader::State HttpReader::takeHead(std::string_view head) {
  std::size_t end = std::min(head.find(kLineEnd), head.size());
  const std::string_view line = head.substr(0, end);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last <= first + 1) {
    return refuse(400, "a request line METHOD TARGET HTTP/1.1 is expected");
  }
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(505, "HTTP/1.1 is spoken here");
  request_.method = line.substr(0, first);
  request_.target = line.substr(first + 1, last - first - 1);
  while (end < head.size()) {
    head.remove_prefix(end + kLineEnd.size());
    end = std::min(head.find(kLineEnd), head.size());
    if (!takeField(head.substr(0, end))) return state_;
  }
  return state_;
}

bool HttpReader::takeField(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, std::min(colon, line.size()));
  if (colon == std::string_view::npos || name.empty() || name.find_first_of(" \t") != std::string_view::npos) {
    refuse(400, "a header field NAME: VALUE is expected");
    return false;
  }
  const std::string_view value = trimmed(line.substr(colon + 1));
  const auto once = [&](std::string& to) {
    if (!to.empty()) refuse(400, std::string(name) + " stands twice");
    to = value;
    return state_ == State::kMore;
  };
  if (equalsIgnoringCase(name, "host")) return once(request_.host);
  if (equalsIgnoringCase(name, "authorization")) return once(request_.authorization);
  if (equalsIgnoringCase(name, "content-length")) return takeLength(value);
  if (equalsIgnoringCase(name, "transfer-encoding")) {
    refuse(411, "a body of known length is expected (Content-Length)");
    return false;
  }
  if (equalsIgnoringCase(name, "expect")) wants_word_ = equalsIgnoringCase(value, "100-continue");
  return true;
}

bool HttpReader::takeLength(std::string_view digits) {
  const bool is_number = !digits.empty() && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number || std::exchange(has_length_, true)) {
    refuse(400, "one Content-Length, a number, is expected");
    return false;
  }
  for (const char c : digits) {
    length_ = length_ * 10 + static_cast<std::size_t>(c - '0');
    if (length_ > kBodyBytesMax) {
      refuse(413, "the body is over " + std::to_string(kBodyBytesMax) + " bytes");
      return false;
    }
  }
  return true;
}

HttpReader::State HttpReader::takeBody() {
  if (bytes_.size() < length_) return State::kMore;
  request_.body = bytes_.substr(0, length_);  // the connection ends behind it: what follows is nobody's
  bytes_.clear();
  return state_ = State::kWhole;
}

}  // namespace mqclient::control
