// Writes JSON text.
#pragma once
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace moert::tools {

class JsonWriter {
public:
  JsonWriter &beginObject() { return open('{'); }
  JsonWriter &endObject() { return close('}'); }
  JsonWriter &beginArray() { return open('['); }
  JsonWriter &endArray() { return close(']'); }
  JsonWriter &key(std::string_view name);
  JsonWriter &value(std::string_view text);
  JsonWriter &value(const char *text) { return value(std::string_view(text)); }
  JsonWriter &value(double number); // null for what JSON cannot say
  JsonWriter &value(bool truth);
  JsonWriter &value(std::integral auto number) {
    separate();
    text += std::to_string(number);
    return *this;
  }
  // A line break between elements, for people.
  JsonWriter &newLine();

  template <typename Value> JsonWriter &member(std::string_view name, const Value &content) {
    return key(name).value(content);
  }

  const std::string &getText() const { return text; }

private:
  JsonWriter &open(char bracket);
  JsonWriter &close(char bracket);
  void separate();
  void quote(std::string_view content);

  std::string text;
  bool needsComma = false, breaksLine = false;
};

} // namespace moert::tools
