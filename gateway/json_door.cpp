#include "gateway/json_door.hpp"

#include <nlohmann/json.hpp>

#include <set>
#include <vector>

namespace taskmaster {
namespace {

/// Listens to the parser and remembers nothing but where it is.
class door_keeper final : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit door_keeper(std::string_view text) : text_(text) {}

  std::optional<error> fault;

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }

  bool string(string_t& s) override {
    if (!value()) return false;
    if (s.find('\0') != string_t::npos) return refuse("a string holds the character U+0000, which cannot be stored; leave it out");
    return true;
  }

  bool start_object(std::size_t) override { return open(true); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_array() override { return close(); }

  bool key(string_t& k) override {
    auto& top = levels_.back();
    const bool fresh = top.keys.insert(k).second;
    top.key = k;
    if (k.find('\0') != string_t::npos) return refuse("a key holds the character U+0000, which cannot be stored; leave it out");
    if (!fresh) return refuse("this key is there twice, and readers differ on which one counts; give it once");
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& ex) override {
    fault = refused_at(position, sentence(ex.what()));
    return false;
  }

  error refused_at(std::size_t position, const std::string& why) const {
    return error(ec::invalid_argument, "The body is no JSON that can be taken: " + place(position) + ": " + why + ".");
  }

private:
  struct level {
    bool object = false;
    std::size_t index = 0; // elements begun in an array
    std::string key;       // of the member under way
    std::set<std::string> keys;
  };

  bool value() {
    if (!levels_.empty() && !levels_.back().object) ++levels_.back().index;
    return true;
  }

  bool open(bool object) {
    value();
    if (levels_.size() == json_depth)
      return refuse("nests deeper than " + std::to_string(json_depth) + " levels, which is the limit");
    levels_.push_back({object, 0, {}, {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  bool refuse(const std::string& why) {
    const std::string at = pointer();
    // The pointer of something a hundred levels down says less than its sentence.
    fault = error(ec::invalid_argument, "The body is no JSON that can be taken: " + (at.empty() ? "the whole" : at) + ": " + why + ".",
                  {{at, why}});
    return false;
  }

  std::string pointer() const {
    std::string out;
    for (const auto& l : levels_) out += "/" + (l.object ? pointer_token(l.key) : std::to_string(l.index == 0 ? 0 : l.index - 1));
    return out;
  }

  std::string place(std::size_t position) const {
    std::size_t line = 1, column = 0;
    for (std::size_t i = 0; i < position && i < text_.size(); ++i) {
      if (text_[i] == '\n') {
        ++line;
        column = 0;
      } else {
        ++column;
      }
    }
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
  }

  /// The library says "[json.exception…] parse error at line 1, column 2: syntax error while parsing value - invalid literal;
  /// last read: '…'; expected …". The token read last may be a megabyte of somebody's data, so it is left out.
  static std::string sentence(std::string what) {
    if (const auto from = what.find("] "); from != std::string::npos) what.erase(0, from + 2);
    if (what.starts_with("parse error"))
      if (const auto from = what.find(": "); from != std::string::npos) what.erase(0, from + 2);
    if (const auto from = what.find("; last read: '"); from != std::string::npos) {
      const auto to = what.rfind("'; expected ");
      what = what.substr(0, from) + (to != std::string::npos && to > from ? what.substr(to + 1) : "");
    }
    if (what.find("number overflow") != std::string::npos) what = "a number lies beyond what a double can hold";
    if (what.size() > 300) what.resize(300);
    return what;
  }

  std::string_view text_;
  std::vector<level> levels_;
};

std::string_view without_bom(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

} // namespace

std::optional<error> check_json(std::string_view text) {
  text = without_bom(text);
  door_keeper keeper(text);
  // The library skips a mark of its own, and takes U+0000 for the end: the view would read something else than what was checked.
  if (without_bom(text).size() != text.size()) return keeper.refused_at(0, "a second byte order mark");
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) return keeper.refused_at(nul, "the byte 0, which is in no JSON");
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &keeper)) return std::nullopt;
  if (!keeper.fault) keeper.fault = error(ec::invalid_argument, "The body is no JSON that can be taken.");
  return std::move(keeper.fault);
}

expected<json_view> open_json(std::string_view text) {
  if (auto fault = check_json(text)) return std::move(*fault);
  return json_view(without_bom(text));
}

std::string compact_json(std::string_view checked) {
  checked = without_bom(checked);
  std::string out;
  out.reserve(checked.size());
  bool quoted = false;
  for (std::size_t i = 0; i < checked.size(); ++i) {
    const char c = checked[i];
    if (quoted) {
      out += c;
      if (c == '\\')
        out += checked[++i];
      else if (c == '"')
        quoted = false;
    } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
      out += c;
      quoted = c == '"';
    }
  }
  return out;
}

} // namespace taskmaster
