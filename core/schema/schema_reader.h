// Internal to core/schema: reads the keywords of a document into Schema structures.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "schema/schema_document.h"

namespace retort::schema {

enum class Dialect : std::uint8_t { draft4, draft6, draft7, draft2019, draft2020 };

class SchemaReader {
 public:
  /// Borrows both; `schemas` gets the document's.
  SchemaReader(const OrderedJson& document, std::deque<Schema>& schemas);
  const Schema* read_document();

 private:
  struct Reference {
    Schema* from;
    std::string target;
  };
  const Schema* read(const OrderedJson& json, const std::string& pointer, int depth);
  void read_keywords(const OrderedJson& json, Schema& schema, int depth);
  void read_identity(const OrderedJson& json, Schema& schema);
  void read_any(const OrderedJson& json, Schema& schema, int depth);
  void read_numbers(const OrderedJson& json, Schema& schema);
  void read_strings(const OrderedJson& json, Schema& schema);
  void read_arrays(const OrderedJson& json, Schema& schema, int depth);
  void read_objects(const OrderedJson& json, Schema& schema, int depth);
  void read_dependencies(const OrderedJson& json, Schema& schema, int depth);
  void refuse_unknown(const OrderedJson& json, const Schema& schema) const;

  /// The schema under `key`, or nullptr.
  const Schema* part(const OrderedJson& json, const Schema& schema, const char* key, int depth);
  std::vector<const Schema*> parts(const OrderedJson& json, const Schema& schema, const char* key, int depth);
  std::optional<Json> number(const OrderedJson& json, const Schema& schema, const char* key) const;
  std::int64_t count(const OrderedJson& json, const Schema& schema, const char* key, std::int64_t otherwise) const;
  std::vector<std::string> names(const OrderedJson& json, const std::string& pointer) const;
  std::shared_ptr<const Pattern> pattern(const std::string& text, const std::string& pointer) const;
  unsigned types_of(const OrderedJson& json, const std::string& pointer) const;

  const Schema* resolve(const Reference& reference);
  void refuse_loop(const Schema& schema) const;
  [[noreturn]] void refuse(const std::string& pointer, const std::string& expected, const OrderedJson& found) const;

  const OrderedJson& document_;
  std::deque<Schema>& schemas_;
  Dialect dialect_;
  std::string identifier_;  ///< the document's own, without its fragment
  std::map<std::string, const Schema*> by_pointer_, anchors_;
  std::vector<Reference> unresolved_;
};

}  // namespace retort::schema
