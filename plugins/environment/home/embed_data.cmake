# cmake -DINPUT=… -DOUTPUT=… -DFUNCTION=… -P embed_data.cmake: a text file as a source file that defines FUNCTION.
file(READ "${INPUT}" content)
get_filename_component(name "${INPUT}" NAME)
file(WRITE "${OUTPUT}" "// Made of ${name} by the build.
#include \"data.h\"

namespace retort::home {

std::string_view ${FUNCTION}() {
  return R\"~data~(${content})~data~\";
}

}  // namespace retort::home
")
