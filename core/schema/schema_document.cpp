// See schema_document.h: the document, its references and dialect. Keywords are read in schema_keywords.cpp.
#include "schema/schema_document.h"

#include <algorithm>
#include <stdexcept>

#include "schema/schema_reader.h"

namespace retort::schema {

const Schema* Schema::property(const std::string& name) const {
  for (const auto& [key, schema] : properties)
    if (key == name) return schema;
  return nullptr;
}

std::string excerpt(const Json& json) {
  constexpr std::size_t limit = 80;
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside a character
  return text.substr(0, end) + "…";
}

std::string pointer_token(const std::string& token) {
  std::string text;
  for (const char c : token) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return text;
}

std::string place_of(const std::string& pointer) {
  return pointer.empty() ? "the schema" : pointer;
}

namespace {

Dialect dialect_of(const OrderedJson& schema) {
  if (!schema.is_object() || !schema.contains("$schema") || !schema["$schema"].is_string()) return Dialect::draft2020;
  const auto& uri = schema["$schema"].get_ref<const std::string&>();
  if (uri.find("json-schema.org/draft-04/") != std::string::npos) return Dialect::draft4;
  if (uri.find("json-schema.org/draft-06/") != std::string::npos) return Dialect::draft6;
  if (uri.find("json-schema.org/draft-07/") != std::string::npos) return Dialect::draft7;
  if (uri.find("json-schema.org/draft/2019-09/") != std::string::npos) return Dialect::draft2019;
  if (uri.find("json-schema.org/draft-03/") != std::string::npos)
    throw std::invalid_argument("/$schema: expected a draft from 4 to 2020-12, found draft 3");
  return Dialect::draft2020;
}

/// "%25" in the fragment of a URI stands for "%".
std::string percent_decoded(const std::string& text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto is_digit = [&](std::size_t at) {
      return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
    };
    if (text[i] == '%' && is_digit(i + 1) && is_digit(i + 2)) {
      decoded += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

}  // namespace

struct SchemaDocument::State {
  OrderedJson json;
  std::deque<Schema> schemas;
  const Schema* root = nullptr;
};

SchemaReader::SchemaReader(const OrderedJson& document, std::deque<Schema>& schemas)
    : document_(document), schemas_(schemas), dialect_(dialect_of(document)) {
  const char* key = dialect_ == Dialect::draft4 ? "id" : "$id";
  if (document_.is_object() && document_.contains(key) && document_[key].is_string()) {
    identifier_ = document_[key].get<std::string>();
    identifier_ = identifier_.substr(0, identifier_.find('#'));
  }
}

const Schema* SchemaReader::read_document() {
  const Schema* root = read(document_, "", 0);
  while (!unresolved_.empty()) {  // a reference may lead to a place that no keyword made a schema of
    const Reference next = unresolved_.back();
    unresolved_.pop_back();
    next.from->reference = resolve(next);
  }
  for (const Schema& schema : schemas_) refuse_loop(schema);
  return root;
}

const Schema* SchemaReader::resolve(const Reference& reference) {
  const std::string place = reference.from->pointer + "/$ref";
  std::string target = reference.target;
  const std::size_t hash = target.find('#');
  const std::string document = target.substr(0, hash);
  if (!document.empty() && document != identifier_)
    refuse(place, "a reference into this document (#, #/$defs/…)", OrderedJson(target));
  const std::string fragment = hash == std::string::npos ? "" : percent_decoded(target.substr(hash + 1));
  if (!fragment.empty() && fragment.front() != '/') {
    const auto anchor = anchors_.find(fragment);
    if (anchor == anchors_.end()) refuse(place, "an $anchor of this document", OrderedJson(target));
    return anchor->second;
  }
  if (const auto known = by_pointer_.find(fragment); known != by_pointer_.end()) return known->second;
  try {
    const OrderedJson::json_pointer pointer(fragment);
    if (document_.contains(pointer)) return read(document_.at(pointer), fragment, 0);
  } catch (const OrderedJson::exception&) {  // no pointer
  }
  refuse(place, "a place in this document", OrderedJson(target));
}

/// {"$ref": "#"} and the like would stand for themselves only.
void SchemaReader::refuse_loop(const Schema& schema) const {
  std::size_t steps = 0;
  for (const Schema* at = schema.reference; at != nullptr; at = at->reference)
    if (++steps > schemas_.size() || at == &schema)
      throw std::invalid_argument(place_of(schema.pointer) + ": $ref leads back to itself");
}

void SchemaReader::refuse(const std::string& pointer, const std::string& expected, const OrderedJson& found) const {
  throw std::invalid_argument(place_of(pointer) + ": expected " + expected + ", found " + excerpt(Json(found)));
}

SchemaDocument::SchemaDocument(const OrderedJson& schema) : state_(std::make_unique<State>()) {
  state_->json = schema;
  state_->root = SchemaReader(state_->json, state_->schemas).read_document();
}

SchemaDocument::~SchemaDocument() = default;
SchemaDocument::SchemaDocument(SchemaDocument&&) noexcept = default;

const Schema& SchemaDocument::root() const {
  return *state_->root;
}

}  // namespace retort::schema
