# An overlay port of the checkout that it lies in:  vcpkg install heed --overlay-ports=heed/cmake/packaging/vcpkg
#
# In a registry, away from the checkout, the source is a tag. Then the next line becomes
#   vcpkg_from_git(OUT_SOURCE_PATH SOURCE_PATH URL the-repository REF the-commit-of-the-tag)
# or vcpkg_from_github with REF "v${VERSION}" and SHA512 0: vcpkg refuses that, and prints the hash to put there.
get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../.." ABSOLUTE)

set(VCPKG_BUILD_TYPE release)  # headers alone: there is nothing to debug
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DHEED_TESTS=OFF -DHEED_EXAMPLES=OFF -DHEED_BENCHMARKS=OFF -DHEED_INSTALL=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/heed)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/cmake" "${CURRENT_PACKAGES_DIR}/share/doc")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
