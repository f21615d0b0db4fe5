# Tests that are not one program a module.
add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/fuzz)
add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/scenario)
add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/bench)
add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/fault)
