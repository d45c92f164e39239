"""Every case of failure-cases.md that concerns reading, documents or reports, with the tests that prove it.

The table is data; test_failure_cases.py proves it. Cases of other people that are not ours say why.
"""

#: the case's story in a few words, and `file::test` of its proofs; a folder of cases is `cases/NAME`
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "C1": (
        "leading zeros",
        (
            "test_values::test_a_number_in_a_text_field_needs_a_declared_spelling",
            "test_values::test_how_excel_displays_a_number_is_never_guessed",
            "test_reading_programs::test_a_number_is_taken_as_displayed_from_every_format",
            "cases/as-displayed",
        ),
    ),
    "C2": (
        "numbers that become 123.0",
        (
            "test_reading_programs::test_every_program_writes_the_same_rows",
            "test_check::test_a_column_of_numbers_counts_its_cells_and_is_told_once",
            "cases/whole-number-key",
        ),
    ),
    "C3": (
        "more than 15 digits",
        (
            "test_values::test_a_number_longer_than_a_cell_keeps_is_refused",
            "test_reading_ods::test_c3_a_number_is_the_decimal_that_stands_in_the_file",
            "cases/too-many-digits",
        ),
    ),
    "C4": (
        "scientific notation",
        (
            "test_cases_documents::test_c4_a_number_that_excel_shortened_is_no_identifier",
            "test_cases_documents::test_c4_an_item_number_that_holds_an_e_is_text",
            "test_locales::test_a_text_that_may_be_another_number_is_refused",
        ),
    ),
    "C5": (
        "decimal comma",
        (
            "test_locales::test_a_number_is_read_as_its_locale_writes_it",
            "test_locales::test_a_text_that_may_be_another_number_is_refused",
            "test_locales::test_what_a_locale_writes_it_reads_back",
            "test_locales::test_another_locale_reads_the_same_or_refuses_unless_its_own_marks_say_otherwise",
            "cases/no-locale-guesses-nothing",
        ),
    ),
    "C6": (
        "unusual spaces and minus signs",
        ("test_locales::test_what_a_locale_writes_with_a_currency_it_reads_back", "cases/locale-nb"),
    ),
    "C7": (
        "float tails",
        (
            "test_cases_documents::test_c7_amounts_of_templates_have_no_float_tails",
            "test_expression::test_no_float_noise_comes_out_of_a_template",
            "test_values::test_every_decimal_of_fifteen_digits_survives",
            "cases/exact-decimals",
        ),
    ),
    "C8": ("numbers of programming languages", ("test_locales::test_a_text_that_may_be_another_number_is_refused",)),
    "C9": (
        "day and month swapped",
        (
            "test_locales::test_a_date_that_must_be_guessed_is_refused",
            "test_locales::test_a_date_is_read_in_its_declared_format_only",
        ),
    ),
    "C10": (
        "a day lost to the time zone",
        (
            "test_reading_anywhere::test_c10_c13_bodies_are_the_same_bytes_everywhere",
            "test_workbook_cells::test_a_date_is_the_sheets_own_day",
        ),
    ),
    "C11": (
        "the date system of 1904",
        (
            "test_workbook_cells::test_a_workbook_that_counts_from_1904_gives_the_same_days",
            "test_reading_binary::test_c11_an_xls_file_that_counts_from_1904_gives_the_same_days",
            "test_check_warnings::test_a_column_of_dates_far_from_today_is_warned_of_once",
        ),
    ),
    "C12": (
        "years of two digits",
        (
            "test_locales::test_a_date_that_must_be_guessed_is_refused",
            "test_locales::test_a_format_without_one_day_month_and_full_year_is_refused",
            "test_check_warnings::test_a_date_far_from_the_others_is_warned_of",
        ),
    ),
    "C13": (
        "the machine's locale",
        (
            "test_reading_anywhere::test_c10_c13_bodies_are_the_same_bytes_everywhere",
            "test_check::test_machine_locale_and_time_zone_change_no_problem",
        ),
    ),
    "C14": (
        "days that never were, day numbers as text",
        (
            "test_locales::test_a_date_before_march_1900_is_refused",
            "test_locales::test_a_date_that_must_be_guessed_is_refused",
            "test_workbook_cells::test_a_day_that_never_was_is_a_fault",
        ),
    ),
    "C15": (
        "identifiers that became dates",
        ("test_cases_documents::test_c15_what_excel_turned_into_a_date_is_no_item_number", "cases/wrong-types"),
    ),
    "C16": (
        "formulas never calculated",
        (
            "test_workbook_cells::test_a_formula_nobody_calculated_is_never_a_blank",
            "test_workbook_cells::test_a_zero_that_waits_to_be_calculated_is_not_believed",
            "test_reading_binary::test_c16_what_xlsxwriter_left_to_excel_to_calculate_is_no_value",
            "test_reading_xlsx::test_c16_each_cell_of_a_shared_formula_has_its_own_result",
        ),
    ),
    "C17": (
        "error cells",
        (
            "test_values::test_a_cell_that_cannot_be_read_stays_a_fault_in_every_field",
            "test_reading_ods::test_c16_c17_a_cell_holds_what_its_type_says",
        ),
    ),
    "C18": (
        "words for yes and no",
        (
            "test_values::test_yes_and_no_are_read_in_the_declared_language",
            "test_values::test_what_is_no_word_for_yes_or_no_is_refused",
        ),
    ),
    "C19": (
        "blank, space, dash, NULL, zero",
        (
            "test_cases_documents::test_c19_a_blank_is_omitted_and_nothing_else_is_taken_for_a_blank",
            "test_cases_documents::test_c19_three_policies_say_what_a_blank_does",
            "test_updates::test_a_blank_that_clears_sends_empty_text",
            "test_check_warnings::test_a_column_that_is_filled_in_part_is_warned_of",
        ),
    ),
    "C20": (
        "a typo in a template",
        (
            "test_template::test_a_typo_in_a_body_template_names_template_and_line",
            "test_expression::test_a_template_without_a_value_is_a_problem",
            "test_expression::test_a_blank_in_a_fields_template_is_a_problem_at_its_cell",
        ),
    ),
    "C21": (
        "a cell that breaks or injects into a body",
        ("test_template::test_a_hostile_text_arrives_unchanged_and_injects_nothing", "cases/hostile-names"),
    ),
    "C22": (
        "a hostile template",
        (
            "test_template::test_a_body_template_reaches_nothing",
            "test_expression::test_a_template_reaches_nothing_and_exhausts_nothing",
        ),
    ),
    "C23": (
        "YAML that turns NO into false",
        ("test_yaml::test_a_plain_scalar_stays_the_text_that_was_typed", "cases/yaml-text-stays-text"),
    ),
    "C24": ("the same key twice in YAML", ("test_yaml::test_a_key_that_stands_twice_names_both_lines",)),
    "C25": ("a byte order mark", ("test_reading_encoding::test_c25_a_mark_before_the_first_header_is_no_part_of_it",)),
    "C26": (
        "old encodings",
        (
            "test_reading_encoding::test_c26_an_older_encoding_is_found_by_its_letters_and_told",
            "test_reading_encoding::test_c26_letters_that_were_spoilt_before_are_told",
            "test_check_warnings::test_what_the_reader_of_a_text_file_found_out_is_told",
        ),
    ),
    "C27": (
        "letters in two parts",
        (
            "test_reading_encoding::test_c27_letters_of_two_characters_are_one",
            "test_reading_xlsx::test_c27_c33_unseen_characters_and_two_part_letters_part_no_header_and_no_key",
        ),
    ),
    "C28": (
        "delimiters and line ends",
        (
            "test_reading_csv::test_c28_the_delimiter_is_the_one_that_fits_every_line",
            "test_reading_csv::test_c28_the_line_that_names_the_delimiter_is_no_row",
            "test_reading_csv::test_c28_lines_may_end_in_any_way_and_cells_hold_line_breaks",
        ),
    ),
    "C29": (
        "ragged lines",
        (
            "test_reading_csv::test_c29_a_line_that_is_too_long_or_too_short_is_told",
            "test_reading_csv::test_c29_a_quotation_mark_that_does_not_close_is_told_by_its_line",
        ),
    ),
    "C30": (
        "headers, titles, merged cells, blanks at the end",
        (
            "test_workbook::test_headers_are_read_below_title_rows_and_cleaned",
            "test_workbook::test_a_header_that_stands_twice_matters_only_when_it_is_used",
            "test_workbook::test_merged_cells_are_told",
            "test_reading_csv::test_c30_blank_lines_and_blank_columns_at_the_end_are_nothing",
        ),
    ),
    "C31": (
        "hidden rows",
        (
            "test_cases_documents::test_c31_hidden_rows_stop_the_run_until_the_mapping_speaks",
            "test_check_warnings::test_hidden_rows_that_the_mapping_speaks_of_are_told_all_the_same",
            "test_reading_ods::test_c31_rows_hidden_filtered_or_folded_are_found",
        ),
    ),
    "C32": (
        "the wrong sheet",
        (
            "test_workbook::test_of_several_visible_sheets_none_is_guessed",
            "test_workbook::test_a_hidden_sheet_is_not_taken_by_itself",
            "test_reading_binary::test_c32_hidden_sheets_are_known",
        ),
    ),
    "C33": (
        "white space and case in keys",
        (
            "test_check_warnings::test_two_keys_that_look_alike_are_warned_of",
            "test_values::test_a_text_is_trimmed_outside_and_unchanged_inside",
            "cases/unseen-spaces-and-letters",
        ),
    ),
    "C34": (
        "texts that are cut",
        ("test_cases_documents::test_c34_a_long_text_is_never_cut_and_is_refused_where_the_mapping_sets_a_limit",),
    ),
    "C35": ("forms of periods", ("cases/period-forms", "cases/period-mmyyyy")),
    "P1": (
        "a bad line",
        (
            "test_cases_documents::test_p1_a_bad_line_holds_the_whole_document",
            "cases/one-bad-line-holds-the-document",
        ),
    ),
    "P2": (
        "rows that disagree",
        ("test_cases_documents::test_p2_rows_that_disagree_name_both_cells", "cases/header-conflict"),
    ),
    "P3": (
        "a key that comes again",
        (
            "test_cases_documents::test_p3_rows_of_one_key_are_one_document_wherever_they_stand",
            "test_main_job::test_two_equal_lines_of_one_document_are_both_sent",
        ),
    ),
    "P4": (
        "lists of different length",
        (
            "test_cases_documents::test_p4_lists_of_different_length_stay_as_long_as_they_are",
            "cases/lists-of-an-invoice",
            "cases/lists-of-a-customer",
        ),
    ),
    "P5": (
        "control totals",
        (
            "test_plan_command::test_an_expected_total_that_differs_blocks",
            "test_plan_command::test_an_expected_total_that_agrees_is_told",
            "test_plan_command::test_totals_stand_by_currency_from_the_sheet_and_from_the_bodies",
            "cases/totals-mismatch",
        ),
    ),
    "P6": (
        "the sign of credit notes",
        ("test_cases_documents::test_p6_a_document_below_zero_goes_out_as_it_is_and_is_warned_of",),
    ),
    "P7": (
        "a closed period",
        ("test_stop_rules::test_as_many_equal_rejections_in_a_row_as_are_allowed_stop_all_workers",),
    ),
    "P8": (
        "a parent that failed",
        (
            "test_sequences::test_a_rejected_customer_blocks_its_invoices_and_nothing_else",
            "test_sequences::test_a_chain_of_three_steps_blocks_to_its_end",
        ),
    ),
    "P9": (
        "an action carried out twice",
        (
            "test_updates::test_a_letter_is_sent_once_for_its_date_and_unwrapped",
            "test_updates::test_a_doubtful_letter_is_never_sent_again",
        ),
    ),
    "P10": (
        "the request limit amid a run",
        (
            "test_real_targets::test_a_full_window_is_told_and_waited_for",
            "test_crash::test_a_kill_while_the_run_waits_for_the_limit_leaves_nothing_in_doubt",
        ),
    ),
    "P11": (
        "a token that ends",
        (
            "test_real_targets::test_a_refusal_amid_the_run_costs_one_token_and_no_document",
            "test_real_targets::test_a_token_is_renewed_before_it_ends",
        ),
    ),
    "P12": (
        "lists in pages",
        (
            "test_fetch::test_350_customers_come_through_pages_of_100",
            "test_search::test_a_page_that_is_no_list_stays_in_doubt",
        ),
    ),
    "R1": (
        "messages on the wrong rows",
        (
            "test_report_sheet::test_outcomes_stand_beside_their_own_rows_in_any_order",
            "test_parallel::test_results_do_not_depend_on_the_order_of_answers",
        ),
    ),
    "R2": ("exit 0 with failures", ("test_cases_documents::test_r2_one_refused_document_of_many_is_no_success",)),
    "R3": (
        "a second batch that fails",
        (
            "test_main_job::test_a_rejected_document_goes_out_when_it_is_corrected",
            "test_cases_documents::test_r2_one_refused_document_of_many_is_no_success",
        ),
    ),
    "R4": (
        "skipped rows without a reason",
        (
            "test_cases_documents::test_r4_rows_that_were_not_sent_have_four_different_reasons",
            "test_report_sheet::test_filtered_and_blank_rows_say_why",
        ),
    ),
    "R5": (
        "200 with an error inside",
        (
            "test_exactly_once::test_each_answer_has_its_verdict_and_whatever_is_not_known_is_unknown",
            "test_updates::test_only_an_action_that_is_done_is_accepted",
        ),
    ),
    "R6": (
        "errors that are cut",
        ("test_cases_documents::test_r6_a_long_refusal_and_many_mistakes_of_one_row_are_kept_whole",),
    ),
    "R7": (
        "large reports",
        (
            "test_check::test_check_and_report_hold_every_row_of_a_large_sheet",
            "test_check::test_a_long_list_is_capped_on_screen_and_whole_elsewhere",
            "test_report_html::test_the_page_of_many_documents_stays_small",
        ),
    ),
    "R8": (
        "formulas that come out of cells",
        (
            "test_report_sheet::test_no_text_of_ours_becomes_a_formula",
            "test_report_sheet::test_text_stays_text_and_a_negative_amount_stays_a_number",
            "test_plan_command::test_the_workbook_of_a_plan_can_be_filtered_and_added_up",
            "test_report_html::test_nothing_that_a_cell_holds_becomes_an_element_or_ends_the_data",
        ),
    ),
    "R9": (
        "a preview that differs from the write",
        ("test_plan_command::test_the_first_and_the_last_document_are_shown_as_they_are_sent",),
    ),
    "R10": ("secrets in files", ("test_real_targets::test_no_secret_is_left_anywhere",)),
    "R11": (
        "a report lost in a crash",
        (
            "test_report::test_a_killed_process_leaves_the_old_report_whole",
            "test_main_job::test_a_report_is_rebuilt_byte_by_byte_from_the_journal",
        ),
    ),
}
#: cases, and parts of cases, that this product does not have
NOT_OURS = {
    "C34": "The API declares no lengths of its fields, so that only the mapping can set a limit.",
    "P4": "Attachments are not sent by any endpoint of this product.",
    "P5": "No tolerance is declared: amounts are exact, and a difference is a problem.",
    "P6": "No policy turns signs: what stands in the sheet goes out, and a sum below zero is a warning.",
}
