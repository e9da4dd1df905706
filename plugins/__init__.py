"""Plugins shipped with Openprod. Each is useful alone and imports nothing but `openprod.plugin_api`."""
